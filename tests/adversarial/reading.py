"""Attacks that look for what a student must not see, and leave what must not be changed."""

from __future__ import annotations

from tests.adversarial.attack import NAMESPACES_REFUSED, Attack, attack, tries

FIND = """
import os
def look(top, wanted=("CANARY", ), most=20_000):
    seen = 0
    for folder, names, files in os.walk(top):
        for name in files:
            seen += 1
            if seen > most:
                return
            try:
                with open(os.path.join(folder, name), "rb") as stream:
                    text = stream.read(4096)
            except OSError:
                continue
            if b"CANARY-" in text:
                print("GOT", folder, name, text[:100])
"""
MEMORY = """
import re
def search(pid="self"):
    # A match is copied from here only with what follows it, which this text does not hold.
    pattern = re.compile(b"CANARY" + b"-[0-9a-f]{24}")
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            span, rights, *_ = line.split()
            start, end = (int(part, 16) for part in span.split("-"))
            if "r" not in rights or end - start > 1 << 28 or line.rstrip().endswith("]"):
                continue
            try:
                memory.seek(start)
                for found in pattern.findall(memory.read(end - start)):
                    print("GOT", found)
            except (OSError, ValueError, OverflowError):
                pass
"""

FOLDERS = """
import tempfile
def folders():
    "Return where something could be left, this kernel's own and what lies around them among it."
    own = [os.getcwd(), tempfile.gettempdir()]
    above = [os.path.dirname(path) for path in own]
    return {*own, *above, *map(os.path.dirname, above), "/tmp", "/var/tmp", "/dev/shm", "/run"}
"""

SECRETS = {
    **{
        name: tries(f"open(TARGETS[{name!r}]).read()")
        for name in ("reference", "pack", "expected values", "hidden seed", "store", "submission")
    },
    "by descriptor of a folder above": tries(
        "os.open('../' * 20 + TARGETS['store'].lstrip('/'), os.O_RDONLY)",
        "os.open('/proc/1/root' + TARGETS['store'], os.O_RDONLY)",
        "os.open('/proc/self/cwd/../../../' + TARGETS['store'], os.O_RDONLY)",
    ),
    "by a link, hard or soft": tries(
        "os.link(TARGETS['store'], 'mine') or open('mine').read()",
        "os.symlink(TARGETS['store'], 'mine2') or open('mine2').read()",
    ),
    "the grader's own package": tries(
        "__import__('grader').__file__",
        "__import__('reference.a2.optimizers')",
        "open(TARGETS['package']).read()",
    ),
    "that something is there, and how large": Attack(
        cells=tries("os.stat(TARGETS['store']).st_size", "os.access(TARGETS['store'], 0)").cells,
        open_in=dict.fromkeys(
            NAMESPACES_REFUSED,
            "whether a file of a known name exists, how large it is and when it was changed",
        ),
    ),
    "the names in a folder": tries(
        "os.listdir(os.path.dirname(TARGETS['store']))",
        "'home' in os.listdir('/')",
        "os.listdir('/tmp') and 'grader' in str(os.listdir('/tmp'))",
        "call(254, returned(294, 0), os.path.dirname(TARGETS['store']).encode(), 2)",
    ),
    "a search of the whole disk": attack(
        f"{FIND}\nfor top in ('/tmp', '/var', '/home', '/root', '/work', '/run', '/dev/shm', '/opt/w5',"
        "\n            '/mnt', '/srv', '/notebook', os.path.dirname(TARGETS['store'])):\n    look(top)\n"
        'print("TRIED")'
    ),
}

OTHERS = {
    "that they are there": Attack(
        cells=tries(
            "os.getpgid(TARGETS['victim'])", "os.stat(f\"/proc/{TARGETS['victim']}\")"
        ).cells,
        open_in=dict.fromkeys(
            NAMESPACES_REFUSED, "that a process of a known number exists, and whose it is"
        ),
    ),
    "what each is called": tries(
        "[n for n in os.listdir('/proc') if n == str(TARGETS['victim'])]",
        "open(f\"/proc/{TARGETS['victim']}/cmdline\").read()",
        "open(f\"/proc/{TARGETS['victim']}/stat\").read()",
        "TARGETS['unix'] in open('/proc/self/net/unix').read()",
    ),
    "the grader's environment": tries(
        "open(f'/proc/{TARGETS[\"grader pid\"]}/environ', 'rb').read()",
        "open('/proc/1/environ', 'rb').read()",
        "os.environ['GRADER_SECRET_OF_TEST']",
    ),
    "every process that proc shows": attack(
        """
import glob
for path in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline"):
    try:
        with open(path, "rb") as stream:
            if b"CANARY-" in stream.read():
                print("GOT", path)
    except OSError:
        pass
attempt("proc of the grader", lambda: os.listdir(f"/proc/{TARGETS['grader pid']}/cwd"))
"""
    ),
    "inherited descriptors": attack(
        """
for name in os.listdir("/proc/self/fd"):
    try:
        target = os.readlink(f"/proc/self/fd/{name}")
        kind = os.fstat(int(name)).st_mode & 0o170000
        if kind == 0o040000 or kind == 0o100000 and not target.startswith(("/notebook", "/tmp")):
            if f"/proc/" not in target:
                print("GOT", name, target)
        if kind == 0o040000:
            attempt("openat", lambda: os.open("../../etc/shadow", os.O_RDONLY, dir_fd=int(name)))
    except OSError:
        pass
print("TRIED")
"""
    ),
    "its own memory, forked from the server's": attack(f'{MEMORY}\nsearch()\nprint("TRIED")'),
    "the memory of others": attack(
        f"{MEMORY}\nfor pid in (1, os.getppid(), TARGETS['grader pid'], TARGETS['victim']):\n"
        "    attempt(str(pid), lambda: search(pid))"
    ),
    "memory by the system calls for it": tries(
        "call(310, TARGETS['victim'], 0, 0, 0, 0, 0)",
        "call(101, 16, TARGETS['victim'], 0, 0)",
        "call(101, 16, 1, 0, 0)",
        "call(312, os.getpid(), 1, 0, 0, 0)",
        "call(438, returned(434, 1, 0), 0, 0)",
        "call(438, returned(434, TARGETS['victim'], 0), 0, 0)",
        "call(438, returned(434, os.getpid(), 0), 0, 0)",  # its own: there is no such call for it
    ),
    "what the machine tells of others": tries(
        "open('/proc/kcore', 'rb').read(16)",
        "open('/proc/kmsg').read(16)",
        "open('/proc/sysrq-trigger', 'w').write('h')",
        "open('/dev/mem', 'rb').read(16)",
        "open('/dev/kmsg').read(16)",
        "open('/etc/shadow').read(1)",
        "open('/root/.bashrc').read(1)",
        "os.listdir('/sys/kernel')",
        "call(103, 3, ctypes.create_string_buffer(100), 100)",
    ),
}

WRITING = {
    "into the store and the submissions": tries(
        *(
            f"open(TARGETS[{name!r}], 'w').write('x')"
            for name in ("store", "submission", "hidden seed")
        ),
        "open(os.path.dirname(TARGETS['store']) + '/grades.csv', 'w')",
        "os.remove(TARGETS['store'])",
        "os.rename(os.path.dirname(TARGETS['store']), '/tmp/gone')",
        "os.chmod(TARGETS['store'], 0o777)",
        "os.truncate(TARGETS['store'], 0)",
    ),
    "modes, times, owners and attributes": tries(
        "os.chmod(TARGETS['store'], 0o600)",
        "os.chmod(os.path.dirname(TARGETS['store']), 0)",
        "os.utime(TARGETS['store'], (0, 0))",
        "os.chown(TARGETS['store'], -1, os.getgid()) or 'chown'",
        "os.setxattr(TARGETS['store'], 'user.mine', b'x') or 'set'",
        "os.chmod(os.__file__, 0)",
        "os.fchmod(os.open(os.__file__, os.O_RDONLY), 0)",
        "os.utime(os.__file__, (0, 0))",
    ),
    "into Python and its packages": tries(
        "open(os.__file__, 'a')",
        "open(__import__('numpy').__file__, 'a')",
        "open(os.path.dirname(os.__file__) + '/sitecustomize.py', 'w')",
        "os.open(sys.executable, os.O_WRONLY)",
        "os.remove(__import__('numpy').__file__)",
    ),
    "into the system": tries(
        *(
            f"open({path!r}, 'w')"
            for path in ("/etc/passwd", "/x", "/usr/lib/x", "/bin/x", "/dev/x")
        ),
        "open('/proc/sys/kernel/core_pattern', 'w').write('|/tmp/x')",
        "open('/proc/sys/vm/drop_caches', 'w').write('1')",
        "open('/proc/self/uid_map', 'w').write('0 0 1')",
        "open('/proc/self/oom_score_adj', 'w').write('-1000')",
        "os.mkfifo('/run/x') or 'made'",
        "open('/proc/%d/oom_score_adj' % TARGETS['grader pid'], 'w').write('1000')",
        "[open(f'/dev/pts/{n}', 'w').write('x') for n in range(9) if os.path.exists(f'/dev/pts/{n}')]",
        "open('/dev/tty', 'w').write('x')",
    ),
    "for the next student to find": attack(
        FOLDERS
        + """
for top in folders():
    if os.path.exists(top + "/left-by-another"):
        print("GOT the other's file")
    try:
        with open(top + "/left-by-another", "w") as stream:
            stream.write("x")
        os.chmod(top + "/left-by-another", 0o777)
    except OSError:
        pass
print("TRIED")
"""
    ),
    # When the other has ended: those that run alone come last.
    "a left file is not found by a second kernel": attack(
        FOLDERS
        + """
for top in folders():
    if os.path.exists(top + "/left-by-another"):
        print("GOT", top)
    attempt(top, lambda: [name for name in os.listdir(top) if "kernel" in name])
print("TRIED")
""",
        alone=True,
    ),
}
