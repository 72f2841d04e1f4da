"""What the sandbox says of ordinary programs."""

import functools
import json
import math
from decimal import Decimal
from fractions import Fraction

import anyio
import pytest

from outthink.core.errors import InputError
from outthink.sandbox import Limits, Sandbox, capabilities, warm
from outthink.sandbox.asserts import taken_apart
from outthink.sandbox.inside import payload

pytestmark = pytest.mark.skipif(not any(c.offered for c in capabilities()[1:]), reason="no fences on this machine")


def run(code: str, **options):
    async def inner():
        async with Sandbox() as sandbox:
            return await sandbox.run(code, **options)

    return anyio.run(inner)


def check(code: str, *tests: str, **options):
    async def inner():
        async with Sandbox() as sandbox:
            return await sandbox.check(code, tests, **options)

    return anyio.run(inner)


def test_a_program_reads_its_input_and_its_output_comes_back():
    outcome = run("import sys\nprint(input()[::-1])\nprint('oh', file=sys.stderr)", stdin="abc\n")
    assert (outcome.ended, outcome.stdout, outcome.stderr, outcome.reason) == ("ok", "cba\n", "oh\n", "")


def test_a_program_runs_as_main_and_ends_as_one():
    outcome = run(
        "import atexit, threading\natexit.register(print, 'last')\n"
        "threading.Thread(target=print, args=('thread',)).start()\nprint(__name__, end=' ')"
    )
    assert sorted(outcome.stdout.split()) == ["__main__", "last", "thread"]
    assert outcome.stdout.endswith("last\n")


def test_an_exception_comes_with_its_line_and_nothing_of_ours():
    outcome = run("def f():\n    return 1 / 0\nf()")
    assert (outcome.ended, outcome.error.type) == ("error", "ZeroDivisionError")
    assert outcome.reason == "ZeroDivisionError: division by zero"
    assert "return 1 / 0" in outcome.error.traceback
    assert "outthink" not in outcome.error.traceback


def test_a_status_of_zero_is_no_error_and_another_is():
    assert run("import sys\nprint('x')\nsys.exit()").ended == "ok"
    assert run("import sys\nsys.exit(3)").reason == "SystemExit: 3"


def test_what_computing_programs_use_works():
    outcome = run(
        "import asyncio, collections.abc, dataclasses, hashlib, os, random, tempfile, xml.dom.minidom\n"
        "import concurrent.futures, zoneinfo, email.message, sqlite3\n"
        "async def f(): await asyncio.sleep(0.001); return 1\n"
        "@dataclasses.dataclass\nclass A:\n    x: 'int' = 2\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    with open(os.path.join(folder, 'a'), 'w') as file: file.write('x')\n"
        "with tempfile.TemporaryFile() as file: file.write(b'x')\n"
        "with concurrent.futures.ThreadPoolExecutor(4) as pool: total = sum(pool.map(abs, range(-9, 0)))\n"
        "print(asyncio.run(f()), A().x, total, hashlib.sha256(b'').hexdigest()[:4], random.random() < 1)\n"
        "print(sqlite3.connect(':memory:').execute('select 1').fetchone(), os.cpu_count() > 0)"
    )
    assert outcome.stdout == "1 2 45 e3b0 True\n(1,) True\n", outcome


def test_nothing_stays_for_the_next_program():
    async def inner():
        async with Sandbox(concurrency=1) as sandbox:
            first = await sandbox.run("import math, builtins\nmath.sqrt = None\nbuiltins.len = None\nopen('left', 'w')")
            second = await sandbox.run("import math, os\nprint(math.sqrt(4), len('ab'), os.listdir('.'))")
            return first.ended, second.stdout

    assert anyio.run(inner) == ("ok", "2.0 2 []\n")


def test_programs_run_side_by_side_and_do_not_see_one_another():
    async def inner():
        said = []
        async with Sandbox(concurrency=4) as sandbox, anyio.create_task_group() as group:

            async def one(number):
                code = f"import os\nopen('{number}', 'w')\nprint(os.listdir('.'))"
                said.append((number, (await sandbox.run(code)).stdout))

            for number in range(12):
                group.start_soon(one, number)
        return sorted(said)

    assert anyio.run(inner) == [(number, f"['{number}']\n") for number in range(12)]


def test_a_program_that_is_cancelled_is_gone_and_the_sandbox_goes_on():
    async def inner():
        async with Sandbox(concurrency=1) as sandbox:
            with anyio.move_on_after(0.2) as scope:
                await sandbox.run("while True: pass")
            return scope.cancelled_caught, (await sandbox.run("print(1)", limits=Limits(seconds=5))).stdout

    assert anyio.run(inner) == (True, "1\n")


def test_a_warm_parent_that_was_killed_is_started_again():
    async def inner():
        async with Sandbox() as sandbox:
            sandbox._warm.process.kill()
            return (await sandbox.run("print(1)")).stdout

    assert anyio.run(inner) == "1\n"


def test_a_machine_without_fences_refuses_unless_told_otherwise(monkeypatch):
    real = warm._started
    monkeypatch.setattr(warm, "_started", lambda level: real(level) if level == "none" else (None, "no Landlock"))
    with pytest.raises(InputError, match=r"cannot hold untrusted code .no Landlock.: use Linux .*unsafe=True"):
        run("print(1)")

    async def inner():
        async with Sandbox(unsafe=True, limits=Limits(seconds=1)) as sandbox:
            return await sandbox.run("print(1)"), await sandbox.run("while True: pass")

    one, other = anyio.run(inner)
    assert (one.stdout, one.level, other.ended) == ("1\n", "none", "timeout")


def test_a_sandbox_that_was_not_entered_says_so():
    with pytest.raises(InputError, match="enter the sandbox first"):
        anyio.run(Sandbox().run, "print(1)")


@pytest.mark.parametrize(
    "test",
    [
        "assert f([1, 2]) == [2, 1]",
        "assert f((1, 2)) == [2, 1]",
        "assert set(f([1, 2, 2])) == {1, 2}",
        "assert sorted(f([1, 3, 2]), reverse=True) == [3, 2, 1]",
        "assert abs(f([0.1, 0.2])[0] - 0.2) < 1e-9",
        "assert math.isclose(f([0.1])[0], 0.1)",
        "assert not f([])",
        "assert f([1])",
        "assert f([None])[0] is None and f([True])[0] is True",
        "assert f([1]) in ([1], [2]), 'said so'",
        "assert [x + 1 for x in f([1, 2])] == [3, 2]",
        "assert len(f(f([1, 2]))) == 2 if f([1]) else False",
        "assert f([float('nan')])[0] != 1",
        "assert list(g(3)) == [0, 1, 4]",
        "assert s.push(1).push(2).items == [1, 2]",
        "assert str(f(['a'])) == \"['a']\"",
        "assert isinstance(f([]), list)",
        "assert f([close])[0] is not None",
        "assert close(f([0.3])[0], 0.1 + 0.2)",
        "assert count(f([2, 3])) == {2: 1, 3: 1}",
    ],
)
def test_these_forms_of_tests_are_understood(test):
    code = (
        "from collections import Counter as count\n"
        "def f(x): return list(x)[::-1]\ndef g(n):\n    for i in range(n): yield i * i\n"
        "class Stack:\n    def __init__(self): self.items = []\n"
        "    def push(self, x): self.items.append(x); return self\n"
    )
    setup = "import math\ndef close(a, b): return abs(a - b) < 1e-9"
    verdict = check(code, "s = Stack()", test, setup=setup)
    assert verdict.passed, verdict.reason


@pytest.mark.parametrize(
    ("test", "reason"),
    [
        ("assert f(1) == 3", "2 vs 3"),
        ("assert f('a') == 1", 'TypeError: can only concatenate str (not "int") to str'),
        ("assert g(1) == 3", "NameError: name 'g' is not defined"),
        ("assert f == 3", "<function: not plain data> vs 3"),
        ("assert sorted(f(1)) == []", "TypeError: 'int' object is not iterable"),
    ],
)
def test_a_test_that_fails_says_why(test, reason):
    verdict = check("def f(x): return x + 1", "assert f(1) == 2", test)
    assert [tested.passed for tested in verdict.tests] == [True, False]
    assert verdict.tests[1].reason == reason
    assert verdict.reason.endswith(reason)


def test_a_call_that_does_not_end_fails_its_test_and_those_after_it():
    code = "def f(x):\n    while x == 2: pass\n    return x"
    verdict = check(code, *(f"assert f({n}) == {n}" for n in (1, 2, 3)), limits=Limits(seconds=1))
    assert [tested.passed for tested in verdict.tests] == [True, False, False]
    assert verdict.tests[1].reason.startswith("it took ")


def test_a_name_of_python_is_the_programs_only_where_nothing_else_could_be():
    assert check("def sum(a, b): return a * b", "assert sum(2, 5) == 10").passed
    assert not check("def sum(a, b): return a * b", "assert sum(2, 5) == 7").passed


@pytest.mark.parametrize(
    ("tests", "why"),
    [
        (["assert 1 == 1"], "test 1 asks the program for nothing"),
        (["assert f(1) == 1", "for i in range(3): assert f(i) == i"], "test 2 has an assertion inside another"),
        (["assert all(f(i) == i for i in range(3))"], "by a variable of its own"),
        (["assert f(1) =="], "test 1 is not Python"),
        (["# nothing"], "test 1 is empty"),
        (["f(1)"], "no assert statement"),
        ([], "no assert statement"),
    ],
)
def test_tests_that_cannot_be_taken_apart_are_refused(tests, why):
    with pytest.raises(InputError, match=why):
        taken_apart(tests)


def test_what_is_expected_never_enters_the_programs_process():
    (test,) = taken_apart(["assert sorted(f(1, g('x'))) == sorted(['gold', h(2)])"])
    assert [call.text for call in test.calls] == ["f(1, g('x'))", "h(2)"]
    assert "gold" in test.comparison


class Number(int):
    def __eq__(self, other):
        return True

    __hash__ = int.__hash__


@pytest.mark.parametrize(
    "value",
    [
        None, True, 0, -5, 10**400, 1.5, -0.0, math.inf, 1e-320, 2 - 3j, "", "é\ud800\n", b"\x00\xff", [], [[(3,)]],
        (), {1, 2}, frozenset({"a"}), {}, {1: "a", (2, 3): [None]}, Decimal("1.10"), Fraction(1, 3), range(1, 9, 2),
    ],
)  # fmt: skip
def test_data_arrives_as_it_left(value):
    back = payload.loads(json.loads(payload.dumps(value)))
    assert type(back) is type(value)
    assert repr(back) == repr(value)


def test_a_subclass_arrives_as_its_builtin_type_and_an_object_as_nothing_much():
    back = payload.loads(json.loads(payload.dumps([Number(3), iter([1, 2]), object(), functools.partial])))
    assert type(back[0]) is int
    assert back[0] != 4
    assert list(back[1]) == [1, 2]
    assert back[2] != back[3]
    assert bool(back[2])


@pytest.mark.parametrize("forged", ['{"int": 3}', '{"set": [[]]}', '{"x": 1}', '{"range": [1, 2, 0]}', '{"dict": [1]}'])
def test_what_is_no_data_is_refused(forged):
    with pytest.raises(ValueError, match="not data"):
        payload.loads(json.loads(forged))


@pytest.mark.skipif(not capabilities()[0].offered, reason="the extra `sandbox` is not installed")
@pytest.mark.parametrize(
    ("code", "fits"),
    [
        ("def f(x): return [x, {'a': (x, 1.5, -2j)}]", True),
        ("import heapq\ndef f(x): return [x, {'a': (x, 1.5, -2j)}]", False),
        ("class A: pass\ndef f(x): return [x, {'a': (x, 1.5, -2j)}]", False),
        ("def repr(x): return '3'\ndef f(x): return [x, {'a': (x, 1.5, -2j)}]", False),
        ("import math\ndef f(x): return [int(math.sqrt(x)), {'a': (x, 1.5, -2j)}]", True),
        ("def f(x): return iter([x, {'a': (x, 1.5, -2j)}])", False),
    ],
)
def test_a_quick_sandbox_goes_on_to_the_fences_where_a_program_does_not_fit(code, fits):
    async def inner():
        async with Sandbox(quick=True) as sandbox:
            right = await sandbox.check(code, ["assert f(1) == [1, {'a': (1, 1.5, -2j)}]"])
            wrong = await sandbox.check(code, ["assert f(1) == [2, {'a': (1, 1.5, -2j)}]"])
            return right, wrong

    right, wrong = anyio.run(inner)
    assert right.passed == ("iter" not in code)
    assert (right.level == "interpreter") == fits
    assert not wrong.passed
    assert wrong.level != "interpreter"
