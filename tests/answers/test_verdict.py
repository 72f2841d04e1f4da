"""What a judge says in one word: expected over its likeliest tokens, whatever the spelling; anything else abstains."""

import math

import pytest

from outthink.answers.verdict import graded, verdict
from outthink.core.candidate import Candidate

YES_NO = ("yes", "no")


def said(*places, text=None, finish="length"):
    """A reply whose tokens are the likeliest at each place, given as {token: probability}; a text alone has none."""
    entries = tuple(
        {
            "token": max(top, key=top.__getitem__),
            "logprob": math.log(max(top.values())),
            "top_logprobs": [{"token": token, "logprob": math.log(share)} for token, share in top.items()],
        }
        for top in places
    )
    text = "".join(entry["token"] for entry in entries) if text is None else text
    return Candidate(
        index=0, message={}, text=text, finish=finish, tokens=1, model="m", token_logprobs=entries or None
    )  # fmt: skip


def test_all_spellings_of_a_verdict_count_and_the_sampled_token_does_not_decide():
    found = verdict(
        said({"Yes": 0.2, " yes": 0.1, "YES": 0.05, "**Yes": 0.05, "No": 0.3, "▁no": 0.1, "Maybe": 0.1}), YES_NO
    )
    assert found.shares == pytest.approx({"yes": 0.4 / 0.8, "no": 0.4 / 0.8})
    assert not found.sampled


@pytest.mark.parametrize("token", ["yesterday", "not", "none", "y", "yes no"])
def test_a_word_that_only_begins_like_a_verdict_is_none(token):
    assert verdict(said({token: 0.9}), YES_NO) is None
    assert verdict(said(text=token.split()[0] if token != "yes no" else "maybe"), YES_NO) is None


def test_a_verdict_that_hardly_anything_speaks_for_is_none():
    assert verdict(said({"<think>": 0.98, "yes": 0.004, "no": 0.002}), YES_NO) is None
    assert verdict(said({"The": 0.7, "yes": 0.2}), YES_NO).shares["yes"] == 1.0


def test_without_likeliest_tokens_the_sampled_word_is_the_verdict_and_that_is_told():
    found = verdict(said(text=" Yes."), YES_NO)
    assert (found.shares, found.sampled) == ({"yes": 1.0, "no": 0.0}, True)
    bare = Candidate(
        index=0, message={}, text="no", finish="stop", tokens=1, model="m",
        token_logprobs=({"token": "no", "logprob": -0.1, "top_logprobs": []},),
    )  # fmt: skip
    assert verdict(bare, YES_NO).sampled
    assert verdict(said(text=""), YES_NO) is None


@pytest.mark.parametrize(
    "entry", [{}, {"token": None, "top_logprobs": [{}]}, {"token": 1, "top_logprobs": [{"token": "yes"}]}]
)
def test_entries_of_another_form_are_no_verdict(entry):
    odd = Candidate(index=0, message={}, text="", finish="stop", tokens=1, model="m", token_logprobs=(entry,))
    assert verdict(odd, YES_NO) is None


def test_a_grade_is_the_mean_over_its_tokens():
    assert graded(said({"7": 0.5, "8": 0.25, "9": 0.25})).expected == pytest.approx(7.75)
    assert graded(said({"10": 0.5, "1": 0.1, "4": 0.4})).expected == pytest.approx(5 + 0.1 + 1.6)
    assert graded(said({"eleven": 1.0})) is None
    assert graded(said(text="10")).expected == 10


def test_where_digits_come_one_by_one_the_next_token_tells_ten_from_one():
    assert graded(said({"1": 0.8, "9": 0.2}, {"0": 0.75, ".": 0.25})).expected == pytest.approx(6 + 0.2 + 1.8)
    assert graded(said({"1": 1.0}, finish="stop")).expected == 1
    assert graded(said({"9": 0.8, "1": 0.2}, {".": 1.0})).expected == 9  # the 1 may be a 10: left out
    assert graded(said({"1": 1.0}, finish="length")) is None
