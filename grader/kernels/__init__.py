"""Kernels to run student code in: started, limited, connected, and ended with all they began.

`kernel` is what a started kernel can do; `opening` chooses who starts it, by the `isolation` that
is asked for: `warm` from a fork server, isolated, or `stock` as an ordinary process. `server` is
the grader's end of that server, `forked` what runs in it, `provisioner` how Jupyter gets to it.
`client` is the grader's end of a kernel's sockets; `environment` is all that it inherits;
`processes` ends a stock one.
Nothing here knows of notebooks, probes or grades.
"""
