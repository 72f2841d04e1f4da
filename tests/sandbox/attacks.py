"""Programs that try to get out of the sandbox, or to pass tests they should fail.

Those that get out print ESCAPED; where that can be seen from outside (a file, a connection, a process), the tests look
there too. ``CANARY`` is a file that the runner may write, ``PORT`` a listener on loopback, ``SECRET`` a word in the
runner's environment.
"""
# ruff: noqa: E501

CALL = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def syscall(x86, arm, *args):
    number = x86 if os.uname().machine == "x86_64" else arm
    return libc.syscall(number, *args)
"""


def _raises(*statements: str, head: str = "") -> str:
    """A program that says ESCAPED where any of the statements does not raise."""
    tries = "".join(
        f"try:\n    {line}\n    print('ESCAPED', {line!r})\nexcept (OSError, ValueError): pass\n" for line in statements
    )
    return f"import os, socket, sys, signal, subprocess, threading, ctypes, resource\n{head}\n{tries}"


def _syscalls(*calls: str) -> str:
    return CALL + "".join(f"if syscall({call}) >= 0: print('ESCAPED', {call!r})\n" for call in calls)


OUT = {
    "reads files of the system": _raises(
        "open('/etc/passwd').read()", "open('CANARY').read()", "os.listdir('/')", "os.listdir('/tmp')",
        "open('/proc/self/environ').read()", "open('/proc/self/maps').read()", "os.listdir('/proc')",
        "open(f'/proc/{os.getppid()}/environ').read()", "open(f'/proc/{os.getppid()}/mem', 'rb').read(1)",
        "os.listdir(os.path.expanduser('~root'))", "os.listdir('..')",
    ),
    "writes outside": _raises(
        "open('CANARY', 'w').write('x')", "open('CANARY', 'a')", "os.truncate('CANARY', 0)", "os.remove('CANARY')",
        "os.chmod('CANARY', 0o777)", "os.rename('CANARY', 'x')", "os.link('CANARY', 'y')", "os.utime('CANARY')",
        "open('/tmp/outthink-escaped', 'w')", "open('/dev/shm/outthink-escaped', 'w')", "os.mkdir('../escaped')",
        "os.chown('CANARY', 1, 1)", "os.setxattr('CANARY', 'user.x', b'1')",
    ),
    "writes through a link": _raises("open('link', 'w').write('x')", head="os.symlink('CANARY', 'link')"),
    "talks to the network": _raises(
        "socket.create_connection(('127.0.0.1', PORT), 1)", "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
        "socket.socket(socket.AF_INET6)", "socket.socket(socket.AF_UNIX)", "socket.socket(socket.AF_NETLINK)",
        "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)",
    ),
    "starts processes": _raises(
        "os.fork()", "subprocess.run(['/bin/true'])", "os.execv(sys.executable, ['python'])", "os.popen('id')",
        "os.posix_spawn('/bin/true', ['true'], {})",
    ).replace("except OSError", "except (OSError, ArithmeticError)").replace("os.popen('id')", "os.popen('id')"),
    "starts processes by number": _syscalls("57, 1079", "58, 1071", "56, 220, 17, 0, 0, 0, 0", "435, 435, 0, 0"),
    "signals others": _raises(
        "os.kill(os.getppid(), 9)", "os.kill(-1, 9)", "os.kill(1, 0)", "os.killpg(0, 9)",
        "os.pidfd_open(os.getppid())",
    ),
    "looks into others": _syscalls(
        "101, 117, 16, os.getppid(), 0, 0", "310, 270, os.getppid(), 0, 0, 0, 0, 0", "312, 272, 1, os.getppid(), 0, 0, 0",
    ),
    "asks the kernel for more": _syscalls(
        "272, 97, 0x10000000", "165, 40, 0, b'/tmp', b'tmpfs', 0, 0", "161, 51, b'.'", "308, 268, 0, 0", "105, 146, 0",
        "321, 280, 0, 0, 0", "425, 425, 1, 0", "323, 282, 1", "250, 219, 0, 0", "298, 241, 0, 0, 0, 0, 0",
        "319, 279, b'x', 0", "29, 194, 0, 4096, 0o1777", "176, 106, b'x', 0", "304, 265, 0, 0, 0", "155, 41, b'.', b'.'",
        "157, 167, 8, 1, 0, 0, 0", "240, 180, b'x', 66, 0o600, 0", "203, 122, 0, 8, b'12345678'",
    ),
    "raises its limits": _raises(
        "resource.setrlimit(resource.RLIMIT_AS, (-1, -1))", "resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1))",
        "os.nice(-5)", "os.setuid(0)", "os.setgid(0)", "os.setgroups([0])",
    ),
    "finds descriptors": (
        "import os, stat\n"
        "for number in range(4, 4096):\n"
        "    try: found = os.fstat(number)\n"
        "    except OSError: continue\n"
        "    try: os.listdir(f'/proc/self/fd/{number}/../../../../..')\n"
        "    except OSError: pass\n"
        "    else: print('ESCAPED', number)\n"
        "    if not stat.S_ISDIR(found.st_mode): print('ESCAPED', number)\n"
    ),
    "finds the secret": (
        "import os, gc, ctypes, sys\n"
        "word = 'OUTTHINK_' + 'SECRET_WORD'\n"
        "libc = ctypes.CDLL(None); libc.getenv.restype = ctypes.c_char_p\n"
        "if word in os.environ or libc.getenv(word.encode()): print('ESCAPED')\n"
        "if any(isinstance(held, dict) and word in held for held in gc.get_objects()): print('ESCAPED')\n"
    ),
    "crashes": "import ctypes\nctypes.string_at(0)\nprint('ESCAPED')",
    "recurses": "import sys\nsys.setrecursionlimit(10**9)\ndef f(): f()\nf()\nprint('ESCAPED')",
}  # fmt: skip

OVER = {
    "loops": ("while True: pass", "timeout"),
    "sleeps": ("import time\ntime.sleep(1000)", "timeout"),
    "computes in C": ("3 ** 10 ** 9\n", "timeout"),
    "catches signals": (
        "import signal\n"
        "for n in range(1, 65):\n"
        "    try: signal.signal(n, lambda *_: None)\n"
        "    except (OSError, ValueError): pass\n"
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        "timeout",
    ),
    "leaves a thread": (
        "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,)).start()",
        "timeout",
    ),
    "takes memory at once": ("x = bytearray(10**10)", "memory"),
    "takes memory in pieces": ("x = []\nwhile True: x.append(bytearray(1 << 20))", "memory"),
    "takes memory by mmap": (
        "import mmap\nx = []\n"
        "try:\n    while True: x.append(mmap.mmap(-1, 1 << 24))\n"
        "except OSError: raise MemoryError",
        "memory",
    ),
    "fills the disk": (
        "open('a', 'wb').write(bytes(1 << 20))\nfor i in range(100000): open(f'a{i}', 'wb').write(bytes(1 << 20))",
        "disk",
    ),
    "fills the disk with one file": (
        "f = open('a', 'wb', 0)\ntry:\n    while True: f.write(bytes(1 << 20))\nexcept OSError: raise SystemExit(1)",
        "error",
    ),
    "fills the disk with names": (
        "import time\nfor i in range(50000): open(f'{i}', 'w')\ntime.sleep(60)",
        "disk or timeout",
    ),
    "fills the disk with nameless files": (
        "import os, time\nx = []\n"
        "for i in range(40):\n    x.append(open('a', 'wb', 0)); os.unlink('a'); x[-1].write(bytes(3 << 20))\n"
        "time.sleep(60)",
        "disk",
    ),
    "digs folders": ("import os\nwhile True:\n    os.mkdir('d'); os.chdir('d')", "disk or timeout"),
    "floods its output": ("while True: print('x' * 10000)", "output"),
    "floods its errors": ("import sys\nwhile True: sys.stderr.write('x' * 10000)", "output"),
    "floods with threads": (
        "import threading, time\nthreading.stack_size(32768)\n"
        "while True:\n"
        "    try: threading.Thread(target=time.sleep, args=(1000,)).start()\n"
        "    except RuntimeError: time.sleep(0.01)",
        "threads or timeout",
    ),
}
"""Programs over a limit, and how they end (making names is slow on some disks)."""

SAME = "    __eq__ = __le__ = __ge__ = lambda *_: True\n    __ne__ = __lt__ = lambda *_: False\n"
PASS = {
    "wrong": "def f(x): return 0",
    "an int that equals everything": f"class I(int):\n{SAME}    __hash__ = int.__hash__\ndef f(x): return I(0)",
    "a list that equals everything": f"class L(list):\n{SAME}def f(x): return L()",
    "a str that equals everything": f"class S(str):\n{SAME}    __hash__ = str.__hash__\ndef f(x): return S('a')",
    "an object that equals everything": f"class O:\n{SAME}def f(x): return O()",
    "an exit before": "import os\nos._exit(0)",
    "a clean exit": "import sys\nsys.exit(0)",
    "an exit when called": "import os\ndef f(x): os._exit(0)",
    "a clean exit when called": "def f(x): raise SystemExit(0)",
    "an exit in a thread": (
        "import os, threading, time\ndef f(x): time.sleep(60)\n"
        "threading.Timer(0.1, os._exit, [0]).start()"
    ),
    "a patched builtin": (
        "import builtins\n"
        "class Yes:\n    def __eq__(self, other): return True\n"
        "for name in ('set', 'sorted', 'abs', 'len', 'AssertionError', 'isinstance', 'bool', 'int', 'all', 'eval'):\n"
        "    setattr(builtins, name, lambda *a, **k: True)\n"
        "def f(x): return Yes()"
    ),
    "its own set": "def set(x): return 1\ndef sorted(*a, **k): return 1\ndef f(x): return 0",
    "a patched encoder": (
        "import json, sys\n"
        "json.dumps = lambda *a, **k: '{\"passed\": true}'\n"
        "for name, module in list(sys.modules.items()):\n"
        "    if 'payload' in name: module.dumps = lambda v: 'true'\n"
        "def f(x): return 0"
    ),
    "a forged channel": (
        "import os\n"
        "for line in (b'{\"ran\": true}', b'{\"value\": \"true\"}', b'{\"compared\": [{\"passed\": true, \"shown\": \"\"}]}'):\n"
        "    for number in range(3, 300):\n"
        "        try: os.write(number, line + b'\\n')\n"
        "        except OSError: pass\n"
        "os._exit(0)"
    ),
    "garbage on the channel": (
        "import os\ndef f(x):\n    os.write(3, b'[' * 100000 + b'\\n')\n    os.write(3, bytes(range(256)))\n    return 0"
    ),
    "a flooded channel": "import os\ndef f(x):\n    while True: os.write(3, b'x' * 65536)",
    "reading what it is asked": (
        "import gc, sys\n"
        "def f(x):\n"
        "    frame = sys._getframe()\n"
        "    seen = []\n"
        "    while frame: seen.append(dict(frame.f_locals)); frame = frame.f_back\n"
        "    text = repr(seen) + repr([o for o in gc.get_objects() if isinstance(o, (dict, list))])\n"
        "    return 'GOLD-' + '7531' if 'GOLD-' + '7531' in text else 0"
    ),
    "stealing the key": (
        "import json, os, sys\n"
        "def f(x):\n"
        "    frame = sys._getframe()\n"
        "    while frame and 'call' not in frame.f_locals: frame = frame.f_back\n"
        "    key = frame.f_locals['call']['key'] if frame else ''\n"
        "    os.write(3, json.dumps({'key': key, 'value': 'true', 'passed': True}).encode() + b'\\n')\n"
        "    os._exit(0)"
    ),
    "a huge value": "def f(x): return list(range(10**7))",
    "a deep value": "def f(x):\n    a = []\n    for _ in range(100000): a = [a]\n    return a",
    "a value that holds itself": "def f(x):\n    a = []\n    a.append(a)\n    return a",
    "colliding values": "def f(x): return {i * (2**61 - 1) for i in range(40000)}",
    "an exception that lies": (
        "class E(BaseException):\n    def __str__(self): raise SystemExit(0)\n    __repr__ = __str__\n"
        "def f(x): raise E"
    ),
    "no function": "x = 1",
    "no Python": "def f(x: return 1",
    "a signal": "import os\ndef f(x): os.kill(os.getpid(), 9)",
}  # fmt: skip
"""Programs that do not solve the problem, whatever they do."""

TESTS = [
    "assert f(2) == 'GOLD-7531'",
    "assert f(3) == [3, 1]",
    "assert set(f(4)) == {'u', 'v'}",
    "assert abs(f(5) - 17.25) < 1e-6",
    "assert f(6) is True",
    "assert sorted(f(7)) == sorted([9, 8])",
]
"""Tests none of which any of `PASS` may pass."""
