"""The tally of a vote, held against a plain count."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from outthink.answers import Votes, canonical
from outthink.core.candidate import Candidate, LogprobSummary


def candidate(index, answer, *, mean=None, finish="stop"):
    return Candidate(
        index=index,
        message={},
        text="",
        finish=finish,
        tokens=1,
        model="fake",
        answer=None if answer is None else canonical(str(answer), "number"),
        logprobs=None if mean is None else LogprobSummary(mean, mean, mean),
    )


def tally(candidates):
    votes = Votes()
    for found in candidates:
        votes.add(found)
    return votes


answers = st.lists(st.one_of(st.none(), st.integers(1, 4)), min_size=1, max_size=20)


@given(answers, st.randoms())
def test_order_of_arrival_does_not_matter(given_answers, random):
    candidates = [candidate(i, answer) for i, answer in enumerate(given_answers)]
    shuffled = random.sample(candidates, len(candidates))
    one, other = tally(candidates), tally(shuffled)
    assert one.leader() == other.leader()
    assert one.counts() == other.counts()
    assert list(one.counts()) == list(other.counts())


@given(answers)
def test_counts_are_those_of_a_plain_counter(given_answers):
    votes = tally(candidate(i, answer) for i, answer in enumerate(given_answers))
    assert votes.counts() == {str(a): k for a, k in Counter(a for a in given_answers if a is not None).items()}
    assert votes.seen == len(given_answers)


@given(answers, st.integers(0, 20))
def test_once_decided_nothing_still_to_come_changes_the_leader(given_answers, seen):
    candidates = [candidate(i, answer) for i, answer in enumerate(given_answers)]
    early = tally(candidates[:seen])
    if early.decided(len(candidates)):
        assert tally(candidates).leader().answer == early.leader().answer


def test_non_answers_do_not_vote_but_hold_a_decision_back():
    votes = tally([candidate(0, 5), candidate(1, 5), candidate(2, None), candidate(3, 6)])
    assert votes.counts() == {"5": 2, "6": 1}
    assert votes.share() == 0.5
    assert not votes.decided(5)


def test_a_sample_that_was_cut_is_not_seen():
    assert tally([candidate(0, None, finish="cancelled"), candidate(1, None, finish="length")]).seen == 1


def test_a_tie_goes_to_confidence_where_every_tied_class_has_it():
    sure = [candidate(0, 5, mean=-2.0), candidate(1, 6, mean=-0.1)]
    assert str(tally(sure).leader().answer) == "6"
    unsure = [candidate(0, 5), candidate(1, 6, mean=-0.1)]
    assert str(tally(unsure).leader().answer) == "5"


def test_equal_values_written_differently_are_one_class():
    votes = tally([candidate(0, "12"), candidate(1, "12.0"), candidate(2, "$12"), candidate(3, "24/2")])
    assert votes.counts() == {"12": 4}


def test_no_votes_have_no_leader():
    votes = tally([candidate(0, None)])
    assert votes.leader() is None
    assert votes.share() is None
    assert not votes.decided(1)
