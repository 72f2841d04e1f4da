"""Pieces of a live sample: however a server cuts its text, thinking and answer come apart as in a whole reply."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.core.wire import Choice, Delta
from outthink.engine.partial import apart
from outthink.engine.showing import Showing, Thinking

TEXTS = [
    "Hello there",
    "<think>Hm, 2 < 3.</think>\n\nIt is 3.",
    "\n<think>\nOne</thin more</think>two</think>",
    "a <think>is not at the beginning</think>",
    "<thinker> is a word",
    "<think>never closed </thi",
    "<think></think>",
    "  <thi",
    "",
]


def fed(pieces):
    thinking = Thinking()
    said = [thinking.feed(piece, last=place == len(pieces) - 1) for place, piece in enumerate(pieces)]
    return "".join(thought for thought, _ in said), "".join(text for _, text in said)


@pytest.mark.parametrize("text", TEXTS)
@given(data=st.data())
def test_any_way_of_cutting_gives_the_same_two_texts(text, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert fed(pieces) == fed([text]) == fed(list(text) or [""])


@pytest.mark.parametrize("text", TEXTS)
def test_the_two_texts_are_those_of_the_whole_reply(text):
    choice = apart(Choice(index=0, message={"role": "assistant", "content": text}, text=text, finish="stop"))
    thought, shown = fed([text])
    assert thought.strip() == (choice.reasoning or "")
    assert shown.strip() == choice.text.strip()


def test_what_cannot_be_a_mark_is_shown_at_once():
    thinking = Thinking()
    assert thinking.feed("<thi") == ("", "")
    assert thinking.feed("s") == ("", "<this")
    assert thinking.feed(" is <") == ("", " is <")


def test_an_empty_piece_is_no_event_and_the_rest_is_by_the_protocol():
    showing = Showing(4, logprobs=True)
    assert showing.piece(Delta(index=0)) is None
    piece = showing.piece(
        Delta(index=0, text="Hi", reasoning="R", raw_logprobs=b'{"content": [{"token": "Hi"}]}', extra={"refusal": ""})
    )
    assert piece.index == 4
    assert piece.delta == {"content": "Hi", "reasoning_content": "R"}
    assert piece.logprobs == ({"token": "Hi"},)
