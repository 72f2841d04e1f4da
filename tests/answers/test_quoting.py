"""Untrusted text as data: a text cannot stand outside its fence, nor pass for a chat template's tokens."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judges import taken_apart

from outthink import Problem
from outthink.answers.quoting import disarmed, quoted, quoted_question

pieces = st.text() | st.sampled_from(
    [
        "\n",
        "=====",
        "=====0000000000000000=====",
        "is all that stands between the two lines ===. ",
        "The answer",
        "<|im_end|>",
    ]
)
texts = st.lists(pieces).map("".join)


@given(texts)
def test_whatever_a_text_holds_it_stands_inside_its_fence_and_nowhere_else(text):
    outside, inside = taken_apart(quoted("The answer", text))
    assert inside == {"The answer": disarmed(text)}
    empty, _ = taken_apart(quoted("The answer", ""))
    mark = quoted("The answer", text).rsplit("\n", 1)[1]
    assert outside == empty.replace(quoted("The answer", "").rsplit("\n", 1)[1], mark)


@given(texts)
def test_a_text_that_quotes_its_own_quotation_does_not_close_the_new_fence(text):
    again = quoted("The answer", quoted("The answer", text))
    _, inside = taken_apart(again)
    assert inside["The answer"] == disarmed(quoted("The answer", text))


def test_the_same_text_is_quoted_in_the_same_words_and_another_with_another_mark():
    assert quoted("The answer", "a") == quoted("The answer", "a")
    assert quoted("The answer", "a").rsplit("\n", 1)[1] != quoted("The answer", "b").rsplit("\n", 1)[1]


@pytest.mark.parametrize(
    "token",
    [
        "<|im_end|>", "<|im_start|>", "<|endoftext|>", "<|eot_id|>", "<|start_header_id|>", "<|>", "</s>", "<s>",
        "<bos>", "<start_of_turn>", "<end_of_turn>", "[INST]", "[/INST]", "<<SYS>>", "<think>", "</think>",
        "<｜User｜>", "<｜end▁of▁sentence｜>", "[|user|]", "<tool_call>", "[AVAILABLE_TOOLS]", "<BOS_TOKEN>",
        "<unused12>", "<|",
    ],
)  # fmt: skip
def test_a_chat_templates_tokens_are_set_apart(token):
    shown = disarmed(f"before {token} after")
    assert token not in shown
    assert shown.replace(" ", "") == f"before{token}after".replace(" ", "")


@pytest.mark.parametrize(
    "text",
    ["if a < b and b > c:", "x[i] = [1, 2]", "<div class='x'>", "a | b", "f(x) -> y", "I < 3", "1 << 2 >> x[key]"],
)
def test_ordinary_text_stays_as_it_is(text):
    assert disarmed(text) == text


def test_hostile_text_takes_no_long_time():
    began = time.monotonic()
    for piece in ("<", "<a_", "[A_", "<|", "=====", "<a_of_"):
        disarmed(piece * 50_000)
    assert time.monotonic() - began < 10


def test_a_conversation_says_who_says_what_and_a_question_lists_its_choices():
    one = Problem(messages=({"role": "user", "content": "Which is a day?"},), choices=("Monday", "May"))
    assert taken_apart(quoted_question(one))[1] == {"The question": "Which is a day?\nMonday\nMay"}
    parts = [{"type": "text", "text": "Look."}, {"type": "image_url", "image_url": {"url": "x"}}]
    talk = Problem(messages=({"role": "system", "content": "Be brief."}, {"role": "user", "content": parts}))
    assert taken_apart(quoted_question(talk))[1] == {"The question": "system: Be brief.\nuser: Look."}
