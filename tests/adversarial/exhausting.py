"""Attacks that use up what others need. Each is bounded by itself too, in case nothing else does."""

from __future__ import annotations

from tests.adversarial.attack import SHORT, attack, tries
from tests.adversarial.forging import SEND

FILL = """
import socket
def fill(*ends):
    "Send until nothing more goes in; return how many bytes that were."
    sent = 0
    for end in ends:
        end.setblocking(False)
        try:
            while True:
                sent += end.send(bytes(65536))
        except BlockingIOError:
            pass
    return sent
"""

# The limit is 512 MB for a notebook. What is not denied ends by itself at 1.5 GB.
MEMORY = {
    "by touch": attack(
        "held = []\nfor _ in range(12): held.append(b'x' * (128 << 20))\nprint('GO' + 'T 1.5 GB')",
        sign="MemoryError",
    ),
    "by a shared map": attack(
        """
import mmap
held = []
for _ in range(12):
    held.append(mmap.mmap(-1, 128 << 20))
    for offset in range(0, 128 << 20, 4096):
        held[-1][offset] = 1
time.sleep(100)
print("GOT 1.5 GB")
""",
        sign="more than 0.5 GB of memory",
    ),
    "by processes, each a little": attack(
        """
for _ in range(8):
    if os.fork() == 0:
        held = b"x" * (200 << 20)
        time.sleep(600)
        os._exit(0)
time.sleep(100)
print("GOT 1.6 GB")
""",
        sign="more than 0.5 GB of memory",
    ),
    "by files in memory": attack(
        """
print("TRIED", flush=True)
try:
    for number in range(20):
        with open(f"/dev/shm/{number}", "wb") as stream:
            stream.write(bytes(100 << 20))
    print("GOT 2 GB")
except OSError as error:
    print("TRIED", error)
""",
    ),
    "by one array": attack(
        "import numpy as np\ntry:\n    np.ones(200_000_000)\n    print('GOT 1.6 GB')\n"
        "except MemoryError: print('TRIED')",
    ),
    "by sockets made large": attack(
        FILL
        + """
print("TRIED", flush=True)
held, kept = 0, []
try:
    while held < 1500 << 20:
        kept.append(socket.socketpair())
        for end in kept[-1]:
            for size in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                end.setsockopt(socket.SOL_SOCKET, size, 4 << 20)
        held += fill(*kept[-1])
except OSError as error:
    print("TRIED", error)
if held > 512 << 20:
    print("GOT", held)
""",
    ),
    "by sockets of many processes": attack(
        FILL
        + """
for _ in range(7):
    if os.fork() == 0:
        kept = []
        try:
            while len(kept) < 480:
                kept.append(socket.socketpair())
                fill(*kept[-1])
        finally:
            time.sleep(600)
            os._exit(0)
time.sleep(100)
print("GOT 1.5 GB")
""",
        sign="more than 0.5 GB of memory",
    ),
    "by connections that nobody accepts": attack(
        FILL
        + """
print("TRIED", flush=True)
held, kept = 0, []
try:
    while held < 1500 << 20:
        address = f"waiting-{len(kept)}"
        kept.append(socket.socket(socket.AF_UNIX))
        kept[-1].bind(address)
        kept[-1].listen(4096)
        for _ in range(4000):
            with socket.socket(socket.AF_UNIX) as end:
                end.connect(address)
                held += fill(end)
    time.sleep(100)  # for whoever watches
    print("GOT", held)
except OSError as error:
    print("TRIED", error)
""",
    ),
    "by pipes made large, and by pages of files in them": tries(
        "__import__('fcntl').fcntl(os.pipe()[1], 1031, 1 << 20)",
        "os.splice(os.open(os.__file__, os.O_RDONLY), os.pipe()[1], 1)",
        "os.sendfile(os.pipe()[1], os.open(os.__file__, os.O_RDONLY), 0, 1)",
        "call(276, os.pipe()[0], os.pipe()[1], 1, 2)",
    ),
    "by tables of pages": attack(
        """
import mmap
held = mmap.mmap(-1, 1 << 40, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=mmap.PROT_READ)
held.madvise(mmap.MADV_NOHUGEPAGE)
for offset in range(0, 768 << 30, 2 << 20):
    held[offset]  # all are the one page of zeros
time.sleep(100)
print("GOT 1.5 GB")
""",
        sign="more than 0.5 GB of memory",
    ),
    "by a probe": attack(
        "def double(x):\n    held = [b'x' * (128 << 20) for _ in range(12)]\n    return 2 * x\nprint('TRIED')",
    ),
}

# The limit is 512 MB and 20,000 files, in all folders together.
STORAGE = {
    "disk": attack(
        """
import tempfile
print("TRIED", flush=True)
for folder in (os.getcwd(), tempfile.gettempdir(), "/dev/shm"):
    try:
        for number in range(4):
            with open(f"{folder}/big{number}", "wb") as stream:
                for _ in range(20):
                    stream.write(bytes(10 << 20))
        time.sleep(100)  # for whoever watches
        print("GOT", folder)
    except OSError as error:
        print("TRIED", error)
"""
    ),
    "files without a name": attack(
        """
print("TRIED", flush=True)
kept = []
try:
    for number in range(40):
        kept.append(open("nameless", "wb"))
        os.remove("nameless")
        kept[-1].write(bytes(20 << 20))
        kept[-1].flush()
    time.sleep(100)
    print("GOT 800 MB")
except OSError as error:
    print("TRIED", error)
"""
    ),
    "files that are only mapped": attack(
        """
import mmap
print("TRIED", flush=True)
kept = []
try:
    for number in range(40):
        with open("mapped", "wb+") as stream:
            stream.write(bytes(20 << 20))
            stream.flush()
            os.remove("mapped")
            kept.append(mmap.mmap(stream.fileno(), 20 << 20))
    time.sleep(100)
    print("GOT 800 MB")
except OSError as error:
    print("TRIED", error)
"""
    ),
    "files on their way to another process": attack(
        """
import socket
print("TRIED", flush=True)
one, other = socket.socketpair()
try:
    for number in range(40):
        with open("nameless", "wb") as stream:
            os.remove("nameless")
            stream.write(bytes(20 << 20))
            stream.flush()
            socket.send_fds(one, [b"."], [stream.fileno()])
    time.sleep(5)  # for whoever watches
    print("GOT 800 MB")
except OSError as error:
    print("TRIED", error)
"""
    ),
    "deeper than a path can say": attack(
        """
print("TRIED", flush=True)
try:
    for depth in range(3000):
        os.mkdir("d" * 50)
        os.chdir("d" * 50)
    for number in range(4):
        with open(f"big{number}", "wb") as stream:
            for _ in range(20):
                stream.write(bytes(10 << 20))
    time.sleep(100)
    print("GOT 800 MB")
except OSError as error:
    print("TRIED", error)
"""
    ),
    "a folder that nobody may list": attack(
        """
print("TRIED", flush=True)
try:
    os.mkdir("closed", 0o300)
    for number in range(4):
        with open(f"closed/big{number}", "wb") as stream:
            for _ in range(20):
                stream.write(bytes(10 << 20))
    time.sleep(100)
    print("GOT 800 MB")
except OSError as error:
    print("TRIED", error)
"""
    ),
    "a file with a hole": attack(
        "attempt('truncate', lambda: os.truncate(os.open('hole', os.O_CREAT | os.O_RDWR), 1 << 40) or 'made')"
    ),
    "inodes": attack(
        "print('TRIED', flush=True)\ntry:\n"
        "    for number in range(40_000): os.close(os.open(str(number), os.O_CREAT | os.O_WRONLY))\n"
        "    time.sleep(100)\n    print('GOT inodes')\nexcept OSError as error: print('TRIED', error)"
    ),
    "open files": attack(
        "kept = []\ntry:\n    while len(kept) < 5000: kept.append(os.dup(0))\n    print('GOT files')\n"
        "except OSError as error:\n    print('TRIED', error)\nfor each in kept: os.close(each)"
    ),
}

OUTPUT = {
    "a gigabyte": attack(
        # Each line by itself: all together they are more than the kernel may have, and get nowhere.
        "for _ in range(1000): print('x' * 10**6, flush=True)\nprint('GOT through')",
        sign="wrote more than",
    ),
    "a gigabyte by descriptor": attack(
        "for _ in range(1000): os.write(1, b'x' * 10**6)\nprint('GOT through')",
        sign="wrote more than",
    ),
    "a million display messages": attack(
        "for number in range(10**6): display(number)\nprint('GOT through')",
        seconds=120.0,
        sign="wrote more than",
    ),
    "a message nested deeply": attack(
        SEND
        + """
for depth in (100, 300, 450, 600, 900, 5000):
    value = 0
    for _ in range(depth):
        value = [value]
    try:
        publish("display_data", {"data": {"application/json": value}, "metadata": {}})
    except RecursionError:
        pass
kernel = get_ipython().kernel
session = kernel.session
for depth in (300, 450, 480, 490, 600, 900, 990, 100_000):
    header = session.msg_header("display_data")
    message = session.msg("display_data", {}, parent=kernel.get_parent(), header=header)
    frames = session.serialize(message, ident=b"display_data")
    at = frames.index(b"<IDS|MSG>")
    frames[-1] = b'{"metadata":{},"data":{"application/json":' + b"[" * depth + b"]" * depth + b"}}"
    frames[at + 1] = session.sign(frames[at + 2:])
    thread = kernel.iopub_thread
    thread.schedule(lambda frames=frames: thread.socket.send_multipart(frames))
print("TRIED")
"""
    ),
    "an update of a thousand outputs in many cells": attack(
        "from IPython.display import HTML, display, update_display\nprint('TRIED')",
        *["for _ in range(200): display(0, display_id='x')"] * 5,
        "update_display(HTML('x' * 500_000), display_id='x')",
        sign="wrote more than",
    ),
    "a count of executions of a megabyte": attack(
        SEND
        + """
count = [0] * 300_000
for _ in range(40):
    count = [count]
for kind in ("status", "execute_input", "execute_result"):
    publish(kind, {"execution_state": "busy", "execution_count": count, "data": {}, "metadata": {}})
print("TRIED")
"""
    ),
    "values that are written as indents": attack(
        SEND
        + """
value = [1] * 300_000
for _ in range(200):
    value = [value]
for data in ({"application/json": value}, {"text/plain": value}, {"x+json": value, "text/html": ""}):
    publish("display_data", {"data": data, "metadata": data})
publish("error", {"ename": "E", "evalue": "", "traceback": [""] * 300_000})
publish("display_data", {"data": {f"{i}/x": "" for i in range(90_000)}, "metadata": {}})
print("TRIED")
"""
    ),
    "messages that answer nothing": attack(
        SEND
        + """
import threading
nobody = {"header": {"msg_id": "nobody"}}
print("TRIED", flush=True)
while True:
    for number in range(100):
        publish("stream", {"name": "stdout", "text": "x" * 10_000}, parent=nobody)
    sent = threading.Event()  # or they fill the memory of this kernel
    get_ipython().kernel.iopub_thread.schedule(sent.set)
    sent.wait()
""",
        seconds=300.0,
        sign="sent more than the grader can take in",
    ),
    "an error of a megabyte": attack("raise ValueError('x' * 10**6)", sign="ValueError"),
    "a thread that never stops printing": attack(
        "import threading\ndef shout():\n    for _ in range(20_000): print('y' * 1000); time.sleep(0.001)\n"
        "threading.Thread(target=shout, daemon=True).start()\nprint('TRIED')",
    ),
    "a message of parts without end": attack(
        """
import zmq
import threading
thread = get_ipython().kernel.iopub_thread
piece = zmq.Frame(bytes(2 << 20), copy=False)
sent = threading.Event()
def send():
    thread.socket.send(b"display_data", zmq.SNDMORE)
    for _ in range(600):  # 1.2 GB, of which nothing is held here but once
        thread.socket.send(piece, zmq.SNDMORE, copy=False)
    thread.socket.send(b"end")
    sent.set()
thread.schedule(send)
sent.wait()
print("TRIED", flush=True)
time.sleep(5)  # what was sent may take its time
""",
        sign="it wrote more than",
        alone=True,
    ),
}

ENDLESS = {
    "deep recursion": attack(
        "print('TRIED', flush=True)\nsys.setrecursionlimit(10**9)\ndef down(n): return down(n + 1)\ndown(0)",
        seconds=SHORT,
    ),
    "an endless loop": attack("print('TRIED', flush=True)\nwhile True: pass", seconds=SHORT),
    "a loop in C that no interrupt ends": attack(
        "sum(range(10**13))", seconds=SHORT, sign="stopped"
    ),
    "a regular expression": attack(
        "import re\nre.match('(a+)+$', 'a' * 60 + 'b')", seconds=SHORT, sign="stopped"
    ),
    "a text that takes minutes to read": attack("\\'" * 20_000, seconds=SHORT, sign="stopped"),
    "an ignored interrupt": attack(
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True:\n    try: time.sleep(600)\n"
        "    except BaseException: pass",
        seconds=SHORT,
        sign="stopped",
    ),
    "a probe without end": attack(
        "def double(x):\n    sum(range(10**13))\nprint('TRIED')", probe_seconds=SHORT
    ),
    "threads": attack(
        """
import threading
print("TRIED", flush=True)
stop = threading.Event()
count = 0
try:
    while count < 2000:
        threading.Thread(target=stop.wait, daemon=True).start()
        count += 1
    print("GOT", count)
except RuntimeError as error:
    stop.set()
    print("TRIED", error)
"""
    ),
}

LARGE_ANSWERS = {
    "of 10 GB": attack(
        "import numpy as np\ndef double(x): return np.ones(10 * 2**27)\nprint('TRIED')"
    ),
    "of 10 GB, written without being there": attack(
        """
def double(x):
    import struct
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.readlink("/proc/self/fd/" + name).startswith("pipe"):
                os.write(int(name), struct.pack(">Q", 10 << 30) + b"x" * 4096)
        except OSError:
            pass
    os._exit(0)
print('TRIED')
"""
    ),
    "without a length, for ever": attack(
        """
def double(x):
    import struct
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.readlink("/proc/self/fd/" + name).startswith("pipe"):
                os.write(int(name), struct.pack(">Q", 1 << 19))
                for _ in range(64): os.write(int(name), bytes(1 << 20))
        except OSError:
            pass
    os._exit(0)
print('TRIED')
""",
        probe_seconds=SHORT,
    ),
    "of one array, 25,000 times": attack(
        """
def double(x):
    import io, json, stat, struct
    import numpy as np
    out = io.BytesIO()
    np.save(out, np.zeros(60_000))
    header = {"kind": "value", "value": {"list": [{"array": 0}] * 25_000}, "error_type": "",
              "detail": "", "blobs": [len(out.getvalue())]}
    head = json.dumps(header).encode()
    reply = struct.pack(">I", len(head)) + head + out.getvalue()
    for number in range(3, 500):
        try:
            if stat.S_ISFIFO(os.fstat(number).st_mode):
                os.write(number, struct.pack(">Q", len(reply)) + reply)
        except OSError:
            pass
    os._exit(0)
print('TRIED')
""",
        sign="names an array twice",
    ),
    "nested 100,000 deep": attack(
        "def double(x):\n    value = []\n    for _ in range(100_000): value = [value]\n    return value\n"
        "print('TRIED')"
    ),
    "that holds itself": attack(
        "def double(x):\n    value = []\n    value.append(value)\n    return value\nprint('TRIED')"
    ),
    "of a list without end": attack(
        "class Endless(list):\n    def __iter__(self):\n        while True: yield 1\n"
        "def double(x): return Endless()\nprint('TRIED')",
        probe_seconds=SHORT,
    ),
}
