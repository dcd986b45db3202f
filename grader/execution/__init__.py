"""Run a notebook and ask its probes: a submission becomes evidence.

`executor` is the way in. `notebook` reads and cleans what was handed in, `cells` runs it by way
of `guarded` (nbclient, kept from being flooded, hung or killed), which keeps of their `outputs`
what a notebook may hold, and `exchange` and `asking` put requests of our own to a kernel. Nothing
here knows what answers are expected.
"""

# To be raised when the same notebook may be seen to do or answer something else than before:
# evidence of an earlier version is then not used again.
EXECUTION_VERSION = 2
