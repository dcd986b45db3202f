"""Attacks that wait: for whoever reads the reports, and for the probes."""

from __future__ import annotations

from tests.adversarial.attack import SHORT, attack

MARKUP = "<script>alert(1)</script><img src=x onerror=alert(1)>"

TRAPS = {
    "html with a script": attack(
        f"from IPython.display import HTML, Javascript\ndisplay(HTML({MARKUP!r}))\n"
        f"display(Javascript('alert(1)'))\nprint({MARKUP!r})\nprint('TRIED')\nraise ValueError({MARKUP!r})"
    ),
    "svg with a script": attack(
        "from IPython.display import SVG\n"
        "display(SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>'))\n"
        "print('TRIED')"
    ),
    "an image that is none": attack(
        "display({'image/png': 'x\" onerror=\"alert(1)', 'text/html': '<script>1</script>'}, raw=True)\n"
        "display({'image/png': 'PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+'}, raw=True)\nprint('TRIED')"
    ),
    "javascript in links": attack(
        "from IPython.display import Markdown\ndisplay(Markdown('[x](javascript:alert(1))'))\n"
        "print('TRIED')\nraise ValueError('<a href=\"javascript:alert(1)\">x</a>')"
    ),
    "markup from a probe": attack(
        f"class T({'type'}): pass\nBad = T({MARKUP!r}, (Exception,), {{}})\n"
        f"def double(x): raise Bad({MARKUP!r})\nprint('TRIED')"
    ),
    "terminal escapes": attack(
        "print('TRIED')\ndef double(x): raise ValueError('\\x1b[2J\\x1b]0;owned\\x07\\x9b31m\\u202egnorw')\n"
        "raise ValueError('\\x1b]52;c;b3duZWQ=\\x07\\x1b[31m')"
    ),
    "lone surrogates": attack(
        "print('TRIED \\ud800')\ndef double(x): raise ValueError('\\ud800')\n"
        "raise type('E\\udfff', (Exception,), {})('\\ud800')",
    ),
    "nothing but nulls": attack(
        "print('TRIED')\ndef double(x): raise ValueError('\\x00\\x01\\x02')\nraise ValueError('\\x00')"
    ),
    "a formula for a name": attack(
        "print('TRIED')", name='=HYPERLINK("http://192.0.2.1",1)', file="=cmd|'_C calc'!A0.ipynb"
    ),
    "markup for a name": attack(
        "print('TRIED')", name=MARKUP, file="<img src=x onerror=alert(1)>.ipynb"
    ),
    "escapes for a name": attack(
        "print('TRIED')", name="\x1b[2J@SUM(1)", file="\x1b[31m\u202e.ipynb"
    ),
    "metadata that lets errors pass": attack(
        "#raises-exception\n1/0", "#skip-execution\nprint('r' + 'an')", sign="ran\\n"
    ),
}

PROBES = {
    "the probe's frame and inputs": attack(
        """
def double(x):
    frame = sys._getframe(1)
    while frame is not None:
        for name in ("value", "expected", "want", "reference"):
            if name in frame.f_locals or name in frame.f_globals:
                found = frame.f_locals.get(name, frame.f_globals.get(name))
                if found is not None and not callable(found):
                    return found
        frame.f_locals["value"] = True
        frame = frame.f_back
    return 3 * x
print("TRIED")
"""
    ),
    "patched builtins": attack(
        """
print('TRIED', flush=True)
import builtins
genuine = builtins.exec
builtins.exec = lambda *a, **k: genuine(*a, **k)
builtins.compile = lambda *a, **k: "passed"
builtins.isinstance = lambda *a: True
builtins.len = lambda *a: 3
builtins.abs = lambda *a: 0
print("TRIED")
""",
        seconds=SHORT,
        probe_seconds=SHORT,
    ),
    "sys.settrace": attack(
        """
def tracer(frame, event, argument):
    if "probe" in frame.f_code.co_filename and event == "return":
        frame.f_locals["names"] = None
    return tracer
sys.settrace(tracer)
import threading
threading.settrace(tracer)
sys.setprofile(lambda *a: None)
print("TRIED")
"""
    ),
    "atexit and __del__": attack(
        """
import atexit, weakref
class Late:
    def __del__(self): os.write(1, b"GOT late")
late = Late()
atexit.register(lambda: os.write(1, b"GOT atexit"))
os.register_at_fork(after_in_child=lambda: os.write(1, b"passed"), before=lambda: None)
print("TRIED")
"""
    ),
    "a hook on fork that does not return": attack(
        "os.register_at_fork(after_in_child=lambda: time.sleep(600))\nprint('TRIED')",
        probe_seconds=SHORT,
    ),
    "import hooks": attack(
        """
class Hook:
    def find_spec(self, name, path=None, target=None):
        sys.modules[name] = self
        return None
    def __getattr__(self, name): return lambda *a, **k: True
sys.meta_path.insert(0, Hook())
sys.modules["numpy"] = sys.modules["json"] = Hook()
sys.path.insert(0, "/notebook")
open("grader.py", "w").write("passed = True")
print("TRIED")
"""
    ),
    "pickles": attack(
        """
class Bomb:
    def __reduce__(self): return (os.system, ("echo GOT",))
    def __getstate__(self): os._exit(0)
def double(x): return Bomb()
print("TRIED")
"""
    ),
    "a number learnt by asking twice": attack(
        """
asked = []
def double(x):
    asked.append(x)
    return asked[0] * 2 if len(asked) > 1 else 3 * x
print("TRIED")
"""
    ),
    "names that answer for themselves": attack(
        """
print('TRIED', flush=True)
class Everything(dict):
    def __contains__(self, name): return True
    def __missing__(self, name): return lambda *a: 0
get_ipython().user_ns.__class__
try:
    get_ipython().user_ns = Everything(get_ipython().user_ns)
except Exception:
    pass
print("TRIED")
""",
    ),
}
