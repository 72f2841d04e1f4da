"""Agreement between programs and tests, held against groups counted by hand."""

import pytest

from outthink.verifiers.behaviour import Trial
from outthink.verifiers.dual_agreement import Conduct, agreement


def passed(*tests):
    return Conduct(frozenset(tests))


def did(*outputs):
    return Conduct(behaviour=outputs)


def test_a_groups_worth_is_its_size_times_the_tests_it_passes():
    found = agreement([passed(0, 1), passed(0, 1), passed(2), None])
    assert found == pytest.approx([2 / 4 * 2 / 3, 2 / 4 * 2 / 3, 1 / 4 * 1 / 3, 0.0])


def test_a_test_that_nobody_passes_counts_nothing():
    assert agreement([passed(0), passed(0)]) == [1.0, 1.0]
    assert agreement([passed(), passed()]) == [None, None]
    assert agreement([]) == []


def test_one_odd_test_that_a_single_program_passes_does_not_outweigh_a_crowd():
    found = agreement([passed(0, 1, 2), passed(0, 1, 2), passed(0, 1, 2), passed(3)])
    assert found[0] > found[3]


def test_programs_that_do_the_same_belong_together_and_those_that_only_fail_to_nobody():
    found = agreement([did("=1", "=2"), did("=1", "=2"), did("=1", "=3"), did("!KeyError", "?"), did("!KeyError", "?")])
    assert found == pytest.approx([0.4, 0.4, 0.2, 0.0, 0.0])


def test_where_both_are_known_a_group_shares_both():
    one = Conduct(frozenset({0}), ("=1",))
    found = agreement([one, one, Conduct(frozenset({0}), ("=2",)), Conduct(frozenset(), ("=1",))])
    assert found == pytest.approx([0.5, 0.5, 0.25, 0.0])


def test_a_trials_output_is_read_back_whatever_else_was_printed():
    trial = Trial("def f(x): return x", ["f(1)", "f(2)", "f(3)"])
    mark = trial._mark
    said = f"hello\n\n{mark}=1\nnoise {mark}=9\n\n{mark}=<f object at 0x7f1234567890>\n"
    assert trial.behaviour(said) == ("=1", "=<f object at 0x>", "?")
    assert trial.behaviour(said + f"\n{mark}!KeyError\n{mark}=7\n") == ("=1", "=<f object at 0x>", "!KeyError")
