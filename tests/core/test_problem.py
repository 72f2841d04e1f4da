"""A problem is a conversation with something to answer."""

import pytest

from outthink import Problem
from outthink.core.errors import BadProblem


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_an_empty_question_is_refused(text):
    with pytest.raises(BadProblem, match="question is empty"):
        Problem.of(text)


def test_no_messages_or_only_a_system_message_is_refused():
    for messages in ((), ({"role": "system", "content": "Be brief."},)):
        with pytest.raises(BadProblem, match="question is empty"):
            Problem.of(Problem(messages=messages))


def test_an_unknown_kind_is_refused_and_those_known_are_listed():
    with pytest.raises(BadProblem, match=r"'nummer'.*number, choice"):
        Problem.of("How many?", "nummer")


def test_the_question_is_the_last_user_turn_with_its_text_parts():
    parts = [{"type": "text", "text": "What is"}, {"type": "image_url"}, {"type": "text", "text": "this?"}]
    messages = (
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "content": parts},
    )
    assert Problem.of(Problem(messages=messages)).question == "What is\nthis?"
