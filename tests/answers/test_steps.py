"""The steps of a chain: by marks, blank lines or lines, and the same for a beginning as for the whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.answers.steps import STOPS, split_steps


@pytest.mark.parametrize(
    ("text", "rule", "steps"),
    [
        ("a\n\nb\nc\n \n\nd", "blank", ["a", "b\nc", "d"]),
        ("a\nb\n\nc\n", "line", ["a", "b", "c"]),
        ("So:\nStep 1: a\nb\nStep 2: c", "step", ["So:", "Step 1: a\nb", "Step 2: c"]),
        ("### Step 1\na\n\n**Step 2:** b", "step", ["### Step 1\na", "**Step 2:** b"]),
        ("A stepladder. Step 1 is not at the start.", "step", ["A stepladder. Step 1 is not at the start."]),
        ("a\r\n\r\nb", "blank", ["a", "b"]),
        ("", "blank", []),
        (" \n\n ", "line", []),
    ],
)
def test_each_rule_parts_a_text_where_it_says(text, rule, steps):
    assert split_steps(text, rule) == steps


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("Step 1: a\n\nStep 2: b\nc", ["Step 1: a", "Step 2: b\nc"]),
        ("Step 1: a\n\nb", ["Step 1: a", "b"]),  # one mark parts nothing
        ("a\nb", ["a", "b"]),
        ("a", ["a"]),
        (" ", []),
    ],
)
def test_without_a_rule_the_first_that_finds_more_than_one_step_holds(text, steps):
    assert split_steps(text) == steps


_STEP = st.text("ab 1", min_size=1).filter(str.strip)


@given(st.lists(_STEP, min_size=1, max_size=6), st.integers(0, 6), st.sampled_from(["blank", "line"]))
def test_a_beginning_that_ends_with_a_step_has_the_first_steps_of_the_whole(steps, kept, rule):
    stop = STOPS[rule][0]
    assert split_steps(stop.join(steps[:kept]), rule) == split_steps(stop.join(steps), rule)[:kept]
    assert split_steps(stop.join(steps), rule) == [step.strip() for step in steps]


@given(st.lists(_STEP, min_size=1, max_size=6), st.integers(0, 6))
def test_so_it_is_with_marked_steps(steps, kept):
    marked = [f"Step {k}: {step}" for k, step in enumerate(steps, 1)]
    assert split_steps("\n".join(marked[:kept]), "step") == [step.strip() for step in marked[:kept]]
