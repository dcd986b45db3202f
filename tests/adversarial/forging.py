"""Attacks on the grade: saying what the grader says, answering for others, lying in the answer."""

from __future__ import annotations

from tests.adversarial.attack import SHORT, attack

SEND = """
def publish(kind, content, metadata=None, buffers=None, parent=None):
    kernel = get_ipython().kernel
    kernel.session.send(kernel.iopub_socket, kind, content, metadata=metadata,
                        parent=parent or kernel.get_parent(), buffers=buffers)
import json, struct
def encoded(value=None, kind="value", **more):
    header = json.dumps({"kind": kind, "value": value, "blobs": [], "error_type": "",
                         "detail": "", **more}).encode()
    return struct.pack(">I", len(header)) + header
"""
# Replaces what sends replies, for this notebook's later requests too.
SENDER = """
kernel = get_ipython().kernel
genuine = kernel.session.send
def send(stream, kind, content=None, parent=None, ident=None, buffers=None, *more, **options):
    label = (content or {}).get("metadata", {}).get("grader") if isinstance(content, dict) else None
    if label:
        CHANGE
    return genuine(stream, kind, content, parent, ident, buffers, *more, **options)
kernel.session.send = send
print("TRIED")
"""


def sender(change: str) -> str:
    """Return code that does `change` to every reply on its way out."""
    return SEND + SENDER.replace("CHANGE", change.replace("\n", "\n        "))


FORGED_MESSAGES = {
    "prints a verdict": attack(
        'print("TRIED")\nprint(\'{"check_id": "double_values", "outcome": "passed", "earned": "2"}\')\n'
        'print("double_values: passed, 2 of 2 points. Great job!")',
    ),
    "displays a reply before it is asked": attack(
        SEND,
        "for index in range(4):\n"
        '    display({"text/plain": "passed"}, metadata={"grader": {"index": index, '
        '"status": "done"}}, raw=True)\n'
        '    publish("display_data", {"data": {}, "metadata": {"grader": {"index": index, "status": '
        '"done"}}}, buffers=[encoded(True)])\nprint("TRIED")',
    ),
    "claims a kind of the grader's own": attack(
        sender('buffers = [encoded(True, kind="passed" if label["index"] else "not-run")]'),
    ),
    "claims a status of its own": attack(sender('label["status"] = "passed"')),
    "claims every answer is true": attack(sender("buffers = [encoded(True)]")),
    "answers under another index": attack(sender('label["index"] = -1')),
    "says idle for ever": attack(
        SEND,
        'print("TRIED", flush=True)\ntime.sleep(0.2)\n'
        'for _ in range(200):\n    publish("status", {"execution_state": "idle"})',
    ),
    "replies to the grader's request for it": attack(
        SEND
        + """
kernel = get_ipython().kernel
execute = kernel.do_execute
async def first(code, *more, **options):
    parent = kernel.get_parent()
    for index in range(3):
        publish("display_data", {"data": {}, "metadata": {"grader": {"index": index,
            "status": "done", "outcome": "passed", "earned": 2}}}, buffers=[encoded(1)], parent=parent)
    return {"status": "ok", "execution_count": 1, "payload": [], "user_expressions": {},
            "earned": 2, "outcome": "passed"}
kernel.do_execute = first
print("TRIED")
""",
        seconds=SHORT,
    ),
    "malformed messages of every kind": attack(
        SEND
        + """
odd = [None, 1, "x", [], {}, {"a": None}, [[]], "\\ud800", float("nan"), -1, {"data": 7},
       {"data": {"text/plain": {"a": [1]}}, "metadata": 3}, {"name": {}, "text": 3},
       {"name": "stdout", "text": {"a": 1}}, {"ename": [], "evalue": {}, "traceback": 5},
       {"data": {"image/png": 5}, "metadata": {}}, {"data": {"image/png": "AA"}, "metadata": {}},
       {"execution_state": []}, {"wait": "x"}, {"code": 1, "execution_count": "x"},
       {"data": {}, "metadata": {"grader": {"index": True, "status": "done"}}},
       {"data": {}, "metadata": {"grader": {"index": 10**30, "status": "done"}}},
       {"data": {}, "metadata": {"grader": {"index": 0, "status": []}}},
       {"data": {}, "metadata": {}, "transient": {"display_id": {}}}]
for kind in ("stream", "display_data", "execute_result", "error", "status", "clear_output",
             "update_display_data", "execute_input", "comm_open", "comm_msg", "nonsense"):
    for content in odd:
        try:
            publish(kind, content)
        except Exception:
            pass
kernel = get_ipython().kernel
raw = kernel.iopub_thread
for frames in ([b""], [b"<IDS|MSG>"], [b"<IDS|MSG>"] * 7, [b"x"] * 100, [b"\\xff" * 1000]):
    raw.schedule(lambda frames=frames: raw.socket.send_multipart(frames))
print("TRIED")
""",
    ),
}

BACKGROUND = {
    "a thread says of the next cell that it is done": attack(
        SEND
        + """
import threading
kernel = get_ipython().kernel
mine = kernel.get_parent()["header"]["msg_id"]
def hurry():
    for _ in range(1000):
        parent = kernel.get_parent("shell")
        if parent and parent["header"]["msg_id"] != mine:
            content = {"status": "ok", "execution_count": 1, "user_expressions": {}, "payload": []}
            for _ in range(3):
                publish("status", {"execution_state": "idle"}, parent=parent)
                kernel.session.send(kernel.shell_stream, "execute_reply", content, parent=parent,
                                    ident=parent.get("identities", b""))
            return
        time.sleep(0.005)
threading.Thread(target=hurry, daemon=True).start()
print("TRIED", flush=True)
""",
        "time.sleep(0.1)\nprint('of the cell itself')",
        "def double(x): return 3 * x",
    ),
    "a thread answers for the next probe": attack(
        SEND
        + """
import threading, time
def flood():
    for _ in range(300):
        try:
            for index in range(3):
                publish("display_data", {"data": {}, "metadata": {"grader": {"index": index,
                        "status": "done"}}}, buffers=[encoded([0.0, 0.0, 0.0])])
            time.sleep(0.01)
        except Exception:
            pass
threading.Thread(target=flood, daemon=True).start()
print("TRIED")
"""
    ),
    "a child process writes into the kernel's descriptors": attack(
        """
import os, time
if os.fork() == 0:
    for _ in range(20):
        for name in os.listdir("/proc/self/fd"):
            try:
                if "socket" in os.readlink("/proc/self/fd/" + name):
                    os.write(int(name), b'{"started": ["forged"], "ended": 0, "why": ""}' * 10)
            except OSError:
                pass
        time.sleep(0.01)
    os._exit(0)
os.wait()
print("TRIED")
""",
        seconds=SHORT,
        sign="Cell 2 ",  # was stopped, or closed the way of all output
    ),
    "a hook answers after each cell": attack(
        SEND,
        'get_ipython().events.register("post_execute", lambda: publish("display_data", {"data": {}, '
        '"metadata": {"grader": {"index": 0, "status": "done"}}}, buffers=[encoded(2)]))\n'
        'print("TRIED")',
    ),
}

REPLACED = {
    "json": attack(
        """
import json
class Yes(str):
    def encode(self, *a, **k): return b'{"kind":"value","value":true,"blobs":[]}'
json.dumps = lambda *a, **k: Yes()
json.JSONEncoder.encode = json.JSONEncoder.iterencode = lambda *a, **k: Yes()
""",
        seconds=SHORT,
        sign="was stopped after",
    ),
    "numpy": attack(
        """
import numpy as np
np.allclose = np.array_equal = lambda *a, **k: True
np.lib.format.write_array = lambda out, value, **k: out.write(b"\\x93NUMPY\\x01\\x00" + b"\\xff" * 50)
np.asarray = np.array = lambda *a, **k: True
print("TRIED")
""",
        seconds=SHORT,
    ),
    "the random numbers that inputs are drawn from": attack(
        """
import numpy as np
class Zeros:
    def __init__(self, *a): pass
    def rand(self, *shape): return np.zeros(shape)
    __getattr__ = lambda self, name: lambda *a, **k: np.zeros(3)
np.random.RandomState = Zeros
print("TRIED")
"""
    ),
    "the display hook and formatters": attack(
        """
shell = get_ipython()
shell.displayhook.__class__.__call__ = lambda *a, **k: print("passed")
shell.display_pub.publish = lambda *a, **k: None
shell.display_formatter.format = lambda *a, **k: ({"text/plain": "passed"}, {})
import sys
sys.displayhook = lambda value: None
print("TRIED")
"""
    ),
    "the grader's magics": attack(
        """
shell = get_ipython()
for name in ("grader_ask", "grader_define"):
    shell.register_magic_function(lambda line, cell: print("passed"), "cell", name)
shell.run_cell_magic = lambda *a, **k: print("passed")
print("TRIED")
"""
    ),
    "the harness found by the collector": attack(
        """
import gc
gc.unfreeze()  # what was there before the fork is out of the collector's sight
for thing in gc.get_objects():
    if isinstance(thing, dict) and thing.get("__name__") == "grader_harness":
        thing["answer"] = lambda *a, **k: b"passed"
        thing["encode"] = lambda *a, **k: b"passed"
        thing["_collect"] = lambda *a, **k: ("done", b"passed")
        print("TRIED")
"""
    ),
}

LYING_ANSWERS = {
    "an array subclass that equals everything": attack(
        """
import numpy as np
class Same(np.ndarray):
    def __eq__(self, other): return np.ones(3, bool)
    def __array_ufunc__(self, *a, **k): return np.zeros(3)
    def __array_function__(self, *a, **k): return True
    def __reduce__(self): return (exec, ("print('GOT pickle')",))
    def __array__(self, *a, **k): return np.zeros(3)
def double(x): return np.zeros(3).view(Same)
print("TRIED")
"""
    ),
    "an object with lying methods": attack(
        """
class Any:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __len__(self): return 3
    def __iter__(self): return iter([self] * 3)
    def __getattr__(self, name): return self
    def __call__(self, *a, **k): return self
    __class__ = list
    __hash__ = None
def double(x): return Any()
print("TRIED")
"""
    ),
    "a dict, str and int that change when looked at": attack(
        """
class D(dict):
    def items(self): return iter([("a", {"array": 0})] * 3)
class S(str):
    def __eq__(self, other): return True
class I(int):
    def __abs__(self): return 0
    def __lt__(self, other): return True
def double(x): return [D(a=1), S("x"), I(10**400)]
print("TRIED")
"""
    ),
    "a forged array of a size that it has not": attack(
        sender(
            r"""
import struct, json
npy = b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (10**9, 10**9), }"
header = json.dumps({"kind": "value", "value": {"array": 0}, "blobs": [len(npy)],
                     "error_type": "", "detail": ""}).encode()
buffers = [struct.pack(">I", len(header)) + header + npy]"""
        )
    ),
    "a forged array of objects": attack(
        sender(
            r"""
import io, struct, json, numpy
class Bad:
    def __reduce__(self): return (exec, ("raise SystemExit('GOT the grader')",))
out = io.BytesIO()
numpy.lib.format.write_array(out, numpy.array([Bad()], dtype=object), version=(1, 0))
header = json.dumps({"kind": "value", "value": {"array": 0}, "blobs": [len(out.getvalue())],
                     "error_type": "", "detail": ""}).encode()
buffers = [struct.pack(">I", len(header)) + header + out.getvalue()]"""
        )
    ),
    "a forged integer of 4,000 digits": attack(
        sender(
            'buffers = [encoded(1).replace(b\'"value": 1\', b\'"value": \' + b"9" * 4000)]\n'
            'buffers = [struct.pack(">I", len(buffers[0]) - 4) + buffers[0][4:]]'
        )
    ),
    "a pickle in place of an answer": attack(
        sender(
            'import pickle\nclass P:\n    def __reduce__(self): return (print, ("GOT pickle",))\n'
            "buffers = [pickle.dumps(P())]"
        )
    ),
}
