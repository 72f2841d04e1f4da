"""Answers that want calculus: right, in time, from any thread, and with nothing left behind."""

import itertools
import os
import select
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest
import sympy

from outthink.answers import canonical, resolved, same, solver, worked_out
from outthink.core.candidate import Candidate

X, K, N = sympy.symbols("x k n")
VALUES = [
    (r"\int_0^1 x^2 \, dx", sympy.integrate(X**2, (X, 0, 1))),
    (r"\int_0^\pi \sin x \, dx", sympy.integrate(sympy.sin(X), (X, 0, sympy.pi))),
    (r"\int_0^2 \sqrt{x} \, dx", sympy.integrate(sympy.sqrt(X), (X, 0, 2))),
    (r"\sum_{k=1}^{10} k", sympy.summation(K, (K, 1, 10))),
    (r"\sum_{k=1}^{10} k + 3", sympy.summation(K, (K, 1, 10)) + 3),
    (r"\sum_{k=1}^{n} k", sympy.summation(K, (K, 1, N))),
    (r"\sum_{n=1}^{\infty} \frac{1}{n^2}", sympy.summation(1 / N**2, (N, 1, sympy.oo))),
    (r"\prod_{k=1}^{5} k", sympy.product(K, (K, 1, 5))),
    (r"\lim_{x \to 0} \frac{\sin x}{x}", sympy.limit(sympy.sin(X) / X, X, 0)),
    (r"\gcd(12, 18)", sympy.gcd(12, 18)),
    (r"\max(3, 7)", sympy.Integer(7)),
    (r"\begin{vmatrix}1&2\\3&4\end{vmatrix}", sympy.Matrix([[1, 2], [3, 4]]).det()),
]
NOT_TO_BE_HAD = [
    r"\lim_{x \to 0} \frac{|x|}{x}",
    r"\lim_{x \to 0} \frac{1}{x}",
    r"\int e^{x^2} dx",
    r"\int f(x) dx",
    r"\sum_{k=1}^{\infty} \frac{1}{k}",
    r"\sum_{p \text{ prime}} p",
    r"\sum",
    r"\int_{",
    r"\int x dx \frac",
]
pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def apart(monkeypatch):
    """A solver of this test's own, with a process of its own."""
    own = solver._Solver()
    monkeypatch.setattr(solver, "_solver", own)
    yield own
    own._owner = os.getpid()
    own.stop()


def asked(text, kind="expression"):
    found = canonical(text, kind)
    assert found is not None
    return found


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_a_formula_of_calculus_is_its_value(text, value):
    assert same(asked(text), asked(sympy.latex(value)))
    assert not same(asked(text), asked(sympy.latex(value + 1)))


@pytest.mark.parametrize("text", NOT_TO_BE_HAD)
def test_what_has_no_value_is_equal_to_its_own_text_only(text):
    found = asked(text)
    assert worked_out(found) == found


def test_several_formulas_and_relations_are_not_sent_to_the_solver(apart):
    for text in (r"\int_0^1 x dx = 5", r"\sum_{k=1}^3 k, 5", r"\int_0^1 x dx \text{ units}", "5", r"x \pm 1"):
        assert worked_out(asked(text)) == asked(text)
    assert worked_out(canonical("sum", "span")) == canonical("sum", "span")
    assert apart._process is None


def test_one_that_takes_too_long_is_given_up_and_the_next_is_answered(apart):
    slow = asked(r"\int_0^1 x^3 dx")
    assert worked_out(slow, limit=0.0) == slow
    assert apart._process is None
    assert worked_out(asked(r"\int_0^1 x^4 dx")).key == "0.2"
    assert worked_out(slow) == slow  # what was given up is not tried again


def test_after_three_time_outs_in_a_row_nothing_more_is_tried(apart):
    for power in range(3):
        worked_out(asked(rf"\int_0^1 x^{power + 2} dx"), limit=0.0)
    last = asked(r"\int_0^1 x^9 dx")
    assert worked_out(last) == last
    assert apart._process is None


def test_a_process_that_died_is_started_again(apart):
    assert worked_out(asked(r"\int_0^1 x dx")).key == "0.5"
    first = apart._process
    first.kill()
    first.wait()
    assert worked_out(asked(r"\int_0^1 x^3 dx")).key == "0.25"
    assert apart._process.pid != first.pid
    for pipe in (first.stdin, first.stdout):
        pipe.close()


def test_a_process_that_cannot_be_started_costs_only_the_merge(apart, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    found = asked(r"\int_0^1 x dx")
    assert worked_out(found) == found


def test_a_forked_child_uses_a_process_of_its_own_and_leaves_the_parents(apart):
    worked_out(asked(r"\int_0^1 x dx"))
    parents, apart._owner = apart._process, -1  # as a fork sees it
    assert worked_out(asked(r"\int_0^1 x^3 dx")).key == "0.25"
    assert parents.poll() is None
    assert apart._process.pid != parents.pid
    parents.kill()
    parents.wait()
    for pipe in (parents.stdin, parents.stdout):
        pipe.close()


def test_what_was_found_is_remembered_up_to_a_bound(apart, monkeypatch):
    monkeypatch.setattr(solver, "_REMEMBERED", 2)
    for power in range(1, 5):
        assert worked_out(asked(rf"\int_0^1 x^{power} dx")).key == canonical(f"1/{power + 1}", "expression").key
    assert len(apart._found) == 2


def test_threads_share_one_process_and_get_the_same_answers(apart):
    texts = [rf"\int_0^1 x^{power} dx" for power in (1, 3, 4)] * 6
    with ThreadPoolExecutor(8) as threads:
        keys = list(threads.map(lambda text: worked_out(asked(text)).key, texts))
    assert keys == ["0.5", "0.25", "0.2"] * 6
    assert len(apart._found) == 3


def test_a_thread_that_waits_too_long_for_its_turn_goes_without(apart, monkeypatch):
    monkeypatch.setattr(solver, "START", 0.0)
    with apart._lock:
        found = asked(r"\int_0^1 x dx")
        assert worked_out(found, limit=0.01) == found


def candidate(text):
    return Candidate(index=0, message={}, text="", finish="stop", tokens=1, model="", answer=asked(text))


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_under_asyncio_the_loop_goes_on_while_one_is_worked_out():
    found = []

    async def one(power):
        found.append(await resolved(candidate(rf"\int_0^1 x^{power} dx")))

    turns = 0
    async with anyio.create_task_group() as tasks:
        for power in (1, 3):
            tasks.start_soon(one, power)
        while len(found) < 2:
            await anyio.sleep(0.001)
            turns += 1
    assert {one.answer.key for one in found} == {"0.5", "0.25"}
    assert turns > 1


@pytest.mark.anyio
async def test_what_needs_no_solver_is_the_same_candidate_at_once():
    plain = candidate("x^2")
    assert await resolved(plain) is plain


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_cancelled_run_does_not_wait_for_it(monkeypatch):
    released = threading.Event()

    def stuck(answer, limit=0.0):
        released.wait(60)
        return answer

    monkeypatch.setattr(solver, "worked_out", stuck)
    began = anyio.current_time()
    with anyio.move_on_after(0.05) as scope:
        await resolved(candidate(r"\int_0^1 x dx"))
    released.set()
    assert scope.cancelled_caught
    assert anyio.current_time() - began < 30


ORPHAN = """
import os, signal
from outthink.answers import canonical, solver, worked_out
assert worked_out(canonical(r"\\int_0^1 x dx", "expression")).key == "0.5"
print(solver._solver._process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs pidfd_open")
def test_it_never_outlives_its_parent_even_one_that_is_killed():
    run = subprocess.run([sys.executable, "-c", ORPHAN], capture_output=True, text=True, check=False, timeout=100)
    assert run.returncode == -signal.SIGKILL
    try:
        watched = os.pidfd_open(int(run.stdout))
    except ProcessLookupError:
        return  # it has ended already
    try:
        ended, _, _ = select.select([watched], [], [], 60)
    finally:
        os.close(watched)
    assert ended


def test_equality_by_value_is_transitive():
    half = [asked(text) for text in (r"\int_0^1 x dx", "0.5", r"\frac12", r"\sum_{k=1}^{\infty} 3^{-k}")]
    for one, other in itertools.product(half, half):
        assert same(one, other)
