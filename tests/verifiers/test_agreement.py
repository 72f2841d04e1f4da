"""Agreement: the medoid among open answers, the vote share among answers that vote; no model is asked."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink import Problem
from outthink.answers import canonical
from outthink.answers.similarity import alike, bag, evenly
from outthink.core.candidate import Candidate
from outthink.verifiers.agreement import Agreement

pytestmark = pytest.mark.anyio
PROBLEM = Problem.of("Tell me about weeks.", "text")


def said(text, index=0, answer=None):
    return Candidate(
        index=index, message={"role": "assistant", "content": text}, text=text, finish="stop", tokens=3, model="m",
        answer=answer and canonical(answer, "number"),
    )  # fmt: skip


async def raws(*candidates):
    return [score.raw for score in await Agreement().score(PROBLEM, candidates, None)]


async def test_the_candidate_that_says_what_the_others_say_agrees_most():
    texts = ["A week has seven days.", "A week is seven days long.", "Bananas are yellow.", "The week has seven days."]
    found = await raws(*map(said, texts))
    assert max(found) == found[0]
    assert min(found) == found[2]


async def test_two_candidates_agree_with_each_other_alike_and_one_alone_cannot_tell():
    one, other = await raws(said("a week has days"), said("a week of rain"))
    assert one == other > 0
    assert await raws(said("alone")) == [None]
    assert await raws(said(""), said("x y"), said("x y")) == [None, 1.0, 1.0]


async def test_answers_agree_by_what_they_are_and_not_by_their_words():
    found = await raws(said("so 5", 0, "5"), said("hence five: 5.0", 1, "5.0"), said("so 7", 2, "7"))
    assert found == [0.5, 0.5, 0.0]


@given(st.text(), st.text())
def test_likeness_is_symmetrical_between_0_and_1_and_whole_for_the_same_words(one, other):
    a, b = bag(one), bag(other)
    assert alike(a, b) == alike(b, a)
    assert 0 <= alike(a, b) <= 1
    assert alike(a, a) == (1.0 if a else 0.0)


def test_likeness_by_hand():
    # words a b c (3) and pairs ab bc (2) against words a b (2) and pair ab (1): 3 in common
    assert alike(bag("a b c"), bag("A, b!")) == pytest.approx(2 * 3 / (5 + 3))
    assert alike(bag("週は七日"), bag("週は七日です")) == pytest.approx(2 * 7 / (7 + 11))
    assert alike(bag(""), bag("")) == 0


async def test_many_long_texts_are_compared_with_a_bounded_number_of_others():
    candidates = [said(f"{i} {i % 3} words of a long text " * 40, i) for i in range(300)]
    began = time.monotonic()
    assert all(raw is not None for raw in await raws(*candidates))
    assert time.monotonic() - began < 20
    assert len(evenly(range(300))) == 64
    assert list(evenly(range(5))) == [0, 1, 2, 3, 4]
