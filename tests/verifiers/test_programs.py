"""The verifier `tests` in the real sandbox: what passes, what only tries to, and what it costs."""

import re
import runpy
from pathlib import Path

import anyio
import pytest

from outthink import Engine, Problem, plugins
from outthink.core.candidate import Candidate
from outthink.core.errors import BadSpec, SandboxError
from outthink.core.events import Executed, Warned
from outthink.core.execution import Limits
from outthink.models.fake import FakeModel
from outthink.models.script import Script
from outthink.sandbox import capabilities, room
from outthink.strategies.best_of_n import BestOfN
from outthink.verifiers.execution import Execution

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.real_time,
    pytest.mark.skipif(not any(c.offered for c in capabilities()[1:]), reason="no fences on this machine"),
]
PASS = runpy.run_path(str(Path(__file__).parents[1] / "sandbox" / "attacks.py"))["PASS"]
QUESTION = "Write a function f that adds one to a number."
PROBLEM = Problem(messages=({"role": "user", "content": QUESTION},), tests="assert f(1) == 2\nassert f(3) == 4")
RIGHT, SAME, ODD = "def f(x): return x + 1", "def f(y):\n    # plus one\n    return 1 + y", "def f(x): return 2"
LOOP, BROKEN = "def f(x):\n    while True: pass", "def f(x: return 1"


class Coder(Script):
    """A model that writes these programs in turn, and other texts where it is asked for tests."""

    def __init__(self, *programs, tests=()):
        super().__init__(replies=[f"```python\n{program}\n```" for program in programs])
        object.__setattr__(self, "tests", tests)

    def _text(self, prompt, seed):
        if "six different tests" in prompt:
            return self.tests[(seed - (1 << 20)) % len(self.tests)]
        return super()._text(prompt, seed)


def said(text, index=0):
    return Candidate(
        index=index, message={"role": "assistant", "content": text}, text=text, finish="stop", tokens=3, model="m"
    )


async def solve(script, strategy, problem=PROBLEM, **options):
    logs = []
    async with Engine(FakeModel(script), program_limits=Limits(seconds=1)) as engine:
        result = await engine.solve(problem, strategy=strategy, watch=logs.append, **options)
    return result, logs[0].events


async def scores(verifier, texts, problem=PROBLEM, script=Script()):
    """The scores of these texts, and the programs that were run for them."""

    class Scoring:
        async def solve(self, problem, run):
            self.found = await run.score(problem, [said(text, i) for i, text in enumerate(texts)], verifier)
            return await plugins.strategy("direct").solve(problem, run)

    scoring = Scoring()
    result, events = await solve(script, scoring, problem)
    return scoring.found, [event for event in events if isinstance(event, Executed)], result


async def test_the_measure_is_the_share_of_tests_passed_and_the_critique_the_first_failure():
    found, ran, _ = await scores(Execution(), [RIGHT, ODD, "def f(x): return 1 / 0"])
    assert [score.raw for score in found] == [1.0, 0.5, 0.0]
    assert found[0].critique is None
    assert found[1].critique == "assert f(3) == 4: 2 vs 4"
    assert found[2].critique == "assert f(1) == 2: ZeroDivisionError: division by zero"
    assert [event.passed for event in sorted(ran, key=lambda event: event.reason)] == [True, False, False]


async def test_equal_programs_run_once_and_what_is_no_program_not_at_all():
    texts = [RIGHT, f"Here it is:\n```python\n{RIGHT}  # done\n```", "I cannot.", f"```python\n{BROKEN}\n```", ""]
    found, ran, result = await scores(Execution(), texts)
    assert [score.raw for score in found] == [1.0, 1.0, 0.0, 0.0, 0.0]
    assert re.match(r"SyntaxError: .*\(line 1\)", found[3].critique)
    assert found[2].critique == "there is no program in it"
    assert len(ran) == 1
    assert (result.by_role["verifier"].calls, result.by_role["policy"].calls) == (1, 1)
    assert result.by_role["verifier"].seconds > 0
    assert result.by_role["verifier"].tokens == 0


@pytest.mark.parametrize("attack", ["an object that equals everything", "a forged channel"])
async def test_a_program_cannot_pass_itself(attack):
    found, _, _ = await scores(Execution(), [PASS[attack], RIGHT])
    assert [score.raw for score in found] == [0.0, 1.0]


async def test_a_program_that_does_not_end_is_ended_and_has_failed():
    with anyio.fail_after(20):
        found, ran, _ = await scores(Execution(), [LOOP, RIGHT])
    assert [score.raw for score in found] == [0.0, 1.0]
    assert re.fullmatch(r"assert f\(1\) == 2: it took (longer|more processor time) than it may", found[0].critique)
    assert max(event.seconds for event in ran) < 10


async def test_without_tests_the_questions_examples_count_and_without_those_it_abstains():
    shown = Problem.of(f"{QUESTION} For example, f(1) == 2.")
    found, _, _ = await scores(Execution(), [RIGHT, "def f(x): return x"], shown)
    assert [score.raw for score in found] == [1.0, 0.0]
    silent, ran, _ = await scores(Execution(), [RIGHT], Problem.of(QUESTION))
    assert ([score.raw for score in silent], ran) == ([None], [])
    number, ran, _ = await scores(Execution(), [RIGHT], Problem.of("If f(1) == 2, how many are f(2)?", "number"))
    assert ([score.raw for score in number], ran) == ([None], [])


async def test_a_test_that_cannot_be_used_is_named_and_costs_nothing():
    problem = Problem(messages=PROBLEM.messages, tests="assert f(1) == 2\nassert True\n")
    result, events = await solve(Coder(RIGHT, ODD), "best-of-n(n=2, verifier=tests)", problem)
    assert result.confidence == 1.0
    assert [event.message for event in events if isinstance(event, Warned)] == [
        "this test cannot be used, and is left out: assert True"
    ]


WRITTEN = [
    "```python\nassert f(1) == 2\nassert f(5) == 6\nassert f(0) == 7\n```",  # the last is wrong
    "assert f(1) == 2\nassert g(1) == 2\nassert f(10) == 11\nassert f(2) ==",
]


async def test_tests_the_model_writes_tell_programs_apart_even_where_some_are_wrong():
    problem = Problem(messages=PROBLEM.messages, answer_kind="code")
    texts = [RIGHT, SAME, ODD, "def f(x): return x"]
    found, ran, result = await scores(Execution(written=2), texts, problem, Coder(RIGHT, tests=WRITTEN))
    # three of four tests can be passed: by two programs all of them, by one of them one, by one none
    assert [score.raw for score in found] == pytest.approx([2 / 4, 2 / 4, 1 / 4 * 1 / 3, 0.0])
    assert len(ran) == 4
    assert result.by_role["verifier"].calls == 4 + 1
    assert result.by_role["verifier"].completion_tokens > 0


async def test_with_given_tests_written_ones_only_rank_those_that_pass():
    found, _, _ = await scores(Execution(written=2), [RIGHT, SAME, ODD, ODD, ODD], PROBLEM, Coder(RIGHT, tests=WRITTEN))
    assert found[0].raw == found[1].raw == pytest.approx(0.5 + 0.5 * 2 / 5)
    assert [score.raw for score in found[2:]] == [0.25] * 3
    assert found[2].critique == "assert f(3) == 4: 2 vs 4"


async def test_programs_that_behave_alike_on_new_inputs_stand_together():
    problem = Problem(messages=PROBLEM.messages, tests="assert f(1) == 2")
    early = "def f(x): return 2 if x == 1 else x"  # passes the test, and nothing else
    found, _, _ = await scores(Execution(inputs=6), [early, RIGHT, SAME], problem)
    assert [score.raw for score in found] == pytest.approx([0.5 + 0.5 / 3, 0.5 + 1 / 3, 0.5 + 1 / 3])


async def test_behaviour_is_seen_with_the_imports_of_the_tests():
    problem = Problem(messages=PROBLEM.messages, tests="import math\nassert f(4) == 2")
    rooted, same = "def f(x): return math.sqrt(x)", "def f(x):\n    return math.sqrt(x) * 1.0"
    found, _, _ = await scores(Execution(inputs=4), [rooted, same], problem)
    assert [score.raw for score in found] == [1.0, 1.0]


async def test_open_text_without_a_score_is_the_first_and_not_certain():
    result, _ = await solve(Coder(RIGHT, ODD), "best-of-n(n=2, verifier=tests)", Problem.of(QUESTION))
    assert RIGHT in result.text
    assert result.confidence_source == "token_probability"


async def test_new_inputs_come_from_written_tests_where_there_are_no_others():
    problem = Problem(messages=PROBLEM.messages, answer_kind="code")
    found, _, _ = await scores(Execution(inputs=4), [RIGHT, SAME, ODD], problem, Coder(RIGHT, tests=WRITTEN))
    assert [score.raw for score in found] == pytest.approx([2 / 3, 2 / 3, 1 / 3])


async def test_it_says_when_scores_are_a_candidates_own():
    assert Execution().alone
    assert not Execution(written=1).alone
    assert not Execution(inputs=1).alone
    with pytest.raises(BadSpec, match="tests: inputs takes 0 to 64"):
        plugins.verifier("tests(inputs=99)")


async def test_tests_are_the_best_verifier_where_a_problem_has_them():
    assert plugins.find_verifier(None, PROBLEM) == Execution()
    assert type(plugins.find_verifier(None, Problem.of("What is 2 + 2?"))).__name__ == "Confidence"


async def test_best_of_n_returns_what_passes_though_most_wrote_something_else():
    result, _ = await solve(Coder(ODD, ODD, RIGHT, ODD, SAME, RIGHT), "best-of-n(n=6)")
    assert RIGHT in result.text
    assert (result.confidence, result.confidence_source) == (1.0, "score")
    assert {c.index: c.scores["tests"] for c in result.candidates} == {0: 0.5, 1: 0.5, 2: 1.0, 3: 0.5, 4: 1.0, 5: 1.0}
    assert result.votes == {} or RIGHT in next(iter(result.votes))


async def test_of_programs_that_pass_the_one_that_most_wrote_is_returned():
    result, _ = await solve(Coder(SAME, RIGHT, RIGHT), "best-of-n(n=3)")
    assert RIGHT in result.text


async def test_sampling_ends_once_a_program_has_passed_where_that_was_asked_for():
    script = Coder(ODD, ODD, RIGHT, ODD, ODD, ODD, ODD, ODD)
    result, _ = await solve(script, "best-of-n(n=8, verifier=tests, width=2, until_verified=true)")
    assert (result.stop_reason, len(result.candidates)) == ("verified", 4)
    assert RIGHT in result.text
    result, _ = await solve(Coder(ODD), "best-of-n(n=3, verifier=tests, width=1, until_verified=true)")
    assert (result.stop_reason, len(result.candidates), result.confidence) == ("exhausted", 3, 0.5)


@pytest.mark.parametrize("verifier", [None, Execution(inputs=2)])
def test_to_end_early_takes_a_verifier_that_needs_no_others(verifier):
    with pytest.raises(BadSpec, match="add verifier=tests"):
        BestOfN(2, verifier, until_verified=True)


async def test_where_there_is_no_sandbox_the_answer_is_not_lost(monkeypatch):
    def none(levels):
        raise SandboxError("this machine cannot hold untrusted code (no Landlock)")

    monkeypatch.setattr(room, "start", none)
    result, events = await solve(Coder(ODD, RIGHT, RIGHT), "best-of-n(n=3)")
    assert RIGHT in result.text  # by their number
    assert result.confidence == pytest.approx(2 / 3)
    assert {c.scores.get("tests") for c in result.candidates} == {None}
    warned = [event.message for event in events if isinstance(event, Warned)]
    assert warned == ["the verifier Execution could not tell: this machine cannot hold untrusted code (no Landlock)"]
    assert "verifier" not in result.by_role


async def test_programs_count_against_a_budget_of_calls_and_those_left_out_are_unscored():
    programs = [f"def f(x): return x + {number}" for number in (1, 2, 3, 4)]
    result, _ = await solve(Coder(*programs), "best-of-n(n=4)", budget="calls=3")
    assert (result.by_role["policy"].calls, result.by_role["verifier"].calls) == (1, 2)
    assert sum(candidate.scores["tests"] is not None for candidate in result.candidates) == 2
    assert result.stop_reason == "exhausted"  # the samples had all been bought


async def test_the_deadline_ends_a_program_and_the_answer_is_there():
    with anyio.fail_after(20):
        async with Engine(FakeModel(Coder(LOOP, RIGHT)), program_limits=Limits(seconds=15)) as engine:
            result = await engine.solve(PROBLEM, strategy="best-of-n(n=2)", budget="seconds=1.5")
    assert RIGHT in result.text
    assert [candidate.scores["tests"] for candidate in result.candidates] == [None, 1.0]


async def test_cancelling_in_mid_check_ends_the_program_and_balances_the_books():
    logs = []
    async with Engine(FakeModel(Coder(LOOP)), program_limits=Limits(seconds=15)) as engine:
        with anyio.fail_after(20):
            with anyio.move_on_after(0.7) as scope:
                await engine.solve(PROBLEM, strategy="best-of-n(n=2)", watch=logs.append)
            assert scope.cancelled_caught
            (cut,) = [event for event in logs[0].events if isinstance(event, Executed)]
            assert (cut.passed, cut.level, cut.reason, cut.held.calls) == (False, None, "it was cut off", 0)
            assert logs[0].events[-1].usage.calls == 2
            again = await engine.solve(PROBLEM, strategy="direct")
    assert again.text
