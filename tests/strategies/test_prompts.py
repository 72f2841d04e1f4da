"""The built-in prompts: examples that are right, and the caller's own words kept."""

import pytest

from outthink import Problem
from outthink.answers import extract
from outthink.strategies.prompts import _EXAMPLES, SHOTS, few_shot, zero_shot


@pytest.mark.parametrize("kind", _EXAMPLES)
def test_every_example_ends_in_an_answer_that_can_be_read(kind):
    assert len(_EXAMPLES[kind]) == (1 if kind == "code" else SHOTS)
    for question, answer in _EXAMPLES[kind]:
        assert extract(answer, kind) is not None, question


def test_every_equation_in_the_examples_holds():
    import re

    seen = 0
    for _, answer in (pair for pairs in _EXAMPLES.values() for pair in pairs):
        for left, right in re.findall(r"([\d.]+(?: [-+*/] [\d.]+)+) = ([\d.]*\d)", answer):
            assert eval(left) == pytest.approx(float(right)), answer
            seen += 1
    assert seen > 10


def test_few_shot_puts_turns_before_the_question_and_keeps_the_conversation():
    turns = (
        {"role": "system", "content": "You are a pirate."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Ahoy"},
        {"role": "user", "content": "How many days are there in 7 weeks?"},
    )
    made = few_shot(Problem(messages=turns, answer_kind="number"), 2)
    assert made[0] == turns[0]
    assert made[-3:] == turns[1:]
    assert [message["role"] for message in made[1:5]] == ["user", "assistant", "user", "assistant"]


def test_without_a_system_message_the_rule_is_put_first():
    made = few_shot(Problem.of("How many days are there in 7 weeks?", "number"), 4)
    assert made[0]["role"] == "system"
    assert "The answer is <number>" in made[0]["content"]
    assert len(made) == 10


def test_zero_shot_adds_one_line_and_keeps_other_parts():
    parts = [{"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": "How many?"}]
    made = zero_shot(Problem(messages=({"role": "user", "content": parts},), answer_kind="number"))
    assert made[0]["content"][:2] == parts
    assert "step by step" in made[0]["content"][2]["text"]


def test_choices_are_listed_once():
    problem = Problem(
        messages=({"role": "user", "content": "Which is red?"},), answer_kind="choice", choices=("sky", "rose")
    )
    assert "(A) sky\n(B) rose" in zero_shot(problem)[0]["content"]
    held = Problem(
        messages=({"role": "user", "content": "Which is red, sky or rose?"},),
        answer_kind="choice",
        choices=("sky", "rose"),
    )
    assert "(A)" not in zero_shot(held)[0]["content"]
