"""Kernels to run student code in: started, limited, connected, and ended with all they began.

`kernel` is what a started kernel can do; `stock` starts one as an ordinary process; `client` is
the grader's end of its sockets; `environment` is all that it inherits; `processes` ends it.
Nothing here knows of notebooks, probes or grades.
"""
