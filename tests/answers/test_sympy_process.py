"""What runs in the solver's process, run here."""

import io
import json
import resource
import signal
import sys

import pytest
import sympy

from outthink.answers import canonical, sympy_process

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def alarms(monkeypatch):
    """The alarms that were set, which this process must not have."""
    made = []
    monkeypatch.setattr(signal, "signal", lambda *given: None)
    monkeypatch.setattr(signal, "setitimer", lambda which, seconds: made.append(seconds))
    return made


def test_it_answers_line_by_line_each_under_an_alarm_and_in_bounded_memory(monkeypatch, capsys, alarms):
    limits = []
    monkeypatch.setattr(resource, "setrlimit", lambda which, limit: limits.append((which, limit)))
    asked = [r"\int_0^1 x dx", r"\frac{", r"\sum_{k=1}^{4} k"]
    lines = "".join(json.dumps({"text": text, "limit": 2.0}) + "\n" for text in asked)
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    sympy_process.serve()
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert answers == ["ready", "1/2", None, "10"]
    assert alarms == [sympy_process.IDLE, *([2.5, sympy_process.IDLE] * 3)]
    assert limits == [(resource.RLIMIT_AS, (sympy_process.MEMORY, sympy_process.MEMORY))]


def test_where_the_system_has_no_such_limits_it_goes_without(monkeypatch, alarms):
    def refuse(which, limit):
        raise ValueError("not here")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    sympy_process._limit_memory()
    monkeypatch.delattr(signal, "setitimer")
    sympy_process._alarm(1.0)
    assert alarms == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"\int_1^2 \frac{1}{x} dx", sympy.log(2)),
        (r"\int_0^1 e^x dx", sympy.E - 1),
        (r"\sum_{k=0}^{\infty} \frac{x^k}{k!}", sympy.exp(sympy.Symbol("x"))),
        (r"\sum_{k=1}^{3} i k", 6 * sympy.I),
        (r"\lim_{x \to 2} x^2", sympy.Integer(4)),
    ],
)
def test_a_value_is_written_as_our_grammar_reads_it(text, value):
    written = sympy_process._value(text)
    assert canonical(written, "expression").key == canonical(sympy.latex(value, ln_notation=True), "expression").key


@pytest.mark.parametrize(
    "text",
    [
        r"\int e^{x^2} dx",  # erfi is no function of ours
        r"\lim_{x \to 0} \frac{|x|}{x}",  # differs from the two sides
        r"\lim_{x \to \infty} x",
        r"\int_0^1 x^x dx",
        r"\int f(x) dx",
        r"(\sum_{k=1}^{2} k, 5)",
        r"\int x = 5",
        "",
        "plain words",
    ],
)
def test_what_has_no_value_in_plain_functions_is_none(text):
    assert sympy_process._value(text) is None
