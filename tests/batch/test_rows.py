"""From a line to a problem: what is asked, and what is wrong, with the line's number."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.batch.files import Line
from outthink.batch.rows import read_row

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ("id", "question", "messages", "answer_kind", "kind", "choices", "context", "tools", "params", "other")


def row(fields, number=4):
    return read_row(Line(number, fields if isinstance(fields, bytes) else json.dumps(fields).encode(), 9))


def test_a_row_becomes_its_problem():
    found = row(
        {
            "id": "a",
            "question": "What is it?",
            "answer_kind": "choice",
            "choices": ["x", "y"],
            "context": ["One.", "Two."],
            "tools": [{"type": "function"}],
            "params": {"temperature": 0.5, "max_tokens": 7},
        }
    )
    problem = found.problem
    assert (found.id, problem.id, problem.answer_kind, problem.choices) == ("a", "a", "choice", ("x", "y"))
    assert problem.question == "One.\n\nTwo.\n\nWhat is it?"
    assert problem.params == {"temperature": 0.5, "max_tokens": 7}
    assert problem.tools == ({"type": "function"},)


def test_messages_are_kept_as_they_came_and_context_goes_before_the_last():
    parts = [{"type": "text", "text": "Q?"}, {"type": "image_url", "image_url": {"url": "x"}}]
    messages = [{"role": "system", "content": "s", "name": "n"}, {"role": "user", "content": parts}]
    assert list(row({"messages": messages}).problem.messages) == messages
    told = row({"messages": messages, "context": "C"}).problem.messages
    assert told[-1]["content"] == [{"type": "text", "text": "C"}, *parts]


def test_an_id_is_kept_as_it_came_and_is_the_lines_number_where_there_is_none():
    assert row({"id": 5, "question": "q"}).id == 5
    assert row({"question": "q"}, 12).id == "12"
    assert row(b"broken", 12).id == "12"
    assert row({"id": "x", "question": " "}).id == "x"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"{", "not JSON"),
        (b"[1]", "not an object"),
        (b'{"question": "\xff"}', "not JSON"),
        ({"question": " "}, "empty"),
        ({"id": 1}, "a question or messages"),
        ({"question": "q", "messages": []}, "a question or messages"),
        ({"messages": []}, "empty"),
        ({"messages": [{"role": "user", "content": 5}]}, "content"),
        ({"question": "q", "params": {"max_tokens": "many"}}, "max_tokens"),
        ({"question": "q", "answer_kind": "nonsense"}, "answer_kind"),
        ({"question": "q", "choices": "ab"}, "choices"),
    ],
)
def test_what_is_wrong_is_said_with_the_line(line, told):
    found = row(line)
    assert found.problem is None
    assert str(found.error).startswith("line 4: ")
    assert told in str(found.error)


@given(st.dictionaries(st.sampled_from(FIELDS), json_values))
def test_no_object_whatever_raises(fields):
    found = row(fields)
    assert (found.problem is None) != (found.error is None)


@given(st.binary(max_size=40))
def test_no_line_whatever_raises(data):
    found = row(data)
    assert found is None or (found.problem is None) != (found.error is None)
    assert (found is None) == (not data.strip())


def test_a_line_that_was_too_long_is_an_error():
    assert "longer than" in str(read_row(Line(3, None, 99)).error)
