"""Auto on a scripted model of known accuracy: what it spends, why it stops, and that it answers as a full vote does."""

import dataclasses
import math
import random
import statistics
from collections import Counter

import pytest
from msgspec.structs import replace

from outthink import Engine, Problem
from outthink.adaptive.curtailment import Lossless
from outthink.adaptive.gate import Gate
from outthink.adaptive.hazard import Solvable
from outthink.adaptive.policy import Policy, to_json
from outthink.adaptive.posterior import Column, Weights
from outthink.adaptive.stopping import Lead
from outthink.answers import Votes, canonical
from outthink.bench.deck import Deck
from outthink.bench.replay import ReplayRun
from outthink.core.candidate import Candidate, LogprobSummary, Score
from outthink.core.errors import BadSpec, BudgetTooSmall, InputError, Refused, UnknownName, Unsupported
from outthink.core.events import CallStarted, Decided, Warned
from outthink.core.mark import Mark
from outthink.core.problem import prompt_fingerprint
from outthink.engine.context import Line
from outthink.models.fake import FakeModel
from outthink.models.pool import Fingerprint, PoolRow, PoolSample
from outthink.models.script import Script
from outthink.plugins import strategy, strategy_text
from outthink.strategies.affordable import Affordable
from outthink.strategies.auto import Auto
from outthink.strategies.prompts import few_shot
from outthink.strategies.tally import Tally

pytestmark = pytest.mark.anyio
QUESTION = "How many days are there in {} weeks?"
CODE = Problem(
    messages=({"role": "user", "content": "Write f, which adds one. Answer with Python code."},),
    answer_kind="code",
)
RIGHT, WRONG = "```python\ndef f(x):\n    return x + 1\n```", "```python\ndef f(x):\n    return x + 2\n```"


async def solve(script, technique="auto", question=QUESTION.format(7), model=None, **options):
    model, logs = model or FakeModel(script), []
    async with Engine(model, unsafe_exec=True) as engine:
        result = await engine.solve(question, strategy=technique, watch=logs.append, **options)
    return result, model, logs[0].events


async def many(script, technique="auto", questions=40):
    async with Engine(FakeModel(script)) as engine:
        asked = [QUESTION.format(k) for k in range(2, 2 + questions)]
        return [await engine.solve(question, strategy=technique) for question in asked]


def decided(events, action="stop"):
    return [event for event in events if isinstance(event, Decided) and event.action.startswith(action)]


def written(policy, path):
    path.write_bytes(to_json(policy))
    return str(path)


def mark(**more):
    """What a policy for the fake, its number prompt and auto's temperature is fitted on."""
    problem = Problem(messages=({"role": "user", "content": QUESTION.format(7)},), answer_kind="number")
    prompt = prompt_fingerprint(few_shot(problem, 4), problem.question)
    return replace(Mark(model="fake", prompt=prompt, temperature=0.7), **more)


async def samples(script, technique="auto"):
    return [len(result.candidates) for result in await many(script, technique)]


async def test_easy_questions_are_cheap_medium_ones_dear_and_hopeless_ones_are_given_up():
    easy = await samples(Script(accuracy=0.97))
    medium = await samples(Script(accuracy=0.42, wrong=3))
    scattered = await samples(Script(replies=[f"The answer is {k}." for k in range(64)]))
    assert statistics.median(easy) == 3
    assert statistics.mean(easy) < 5
    assert statistics.mean(medium) > 2 * statistics.mean(easy)
    assert statistics.mean(easy) < statistics.mean(scattered) < statistics.mean(medium)


async def test_what_is_given_up_says_so_and_how_sure_it_is():
    result, _, events = await solve(Script(replies=[f"The answer is {k}." for k in range(64)]))
    assert result.stop_reason == "futile"
    assert result.confidence < 0.12
    assert decided(events)[-1].numbers["P"] == pytest.approx(result.confidence)


async def test_half_of_the_easy_questions_cost_at_most_four_samples_tokens():
    single = await many(Script(accuracy=0.97), "cot(temperature=0.7)")
    auto = await many(Script(accuracy=0.97))
    ratios = [a.usage.tokens / one.usage.tokens for a, one in zip(auto, single, strict=True)]
    assert statistics.median(ratios) <= 4


@pytest.mark.parametrize(("effort", "n"), [("low", 16), ("medium", 32), ("high", 64)])
async def test_it_answers_as_a_full_vote_over_its_horizon_does(effort, n):
    script = Script(accuracy=0.62, wrong=4)
    auto = await many(script, f"auto(effort={effort})", 60)
    full = await many(script, f"self-consistency(n={n})", 60)
    same = sum(a.answer == b.answer for a, b in zip(auto, full, strict=True))
    assert same >= 0.95 * len(full)
    spent = sum(result.usage.completion_tokens for result in auto)
    assert spent < 0.7 * sum(result.usage.completion_tokens for result in full)


async def test_a_lossless_policy_gives_exactly_the_full_votes_answer(tmp_path):
    file = written(Policy(rule=Lossless(), fingerprint=Mark()), tmp_path / "policy.json")
    script = Script(accuracy=0.3, wrong=6)
    auto = await many(script, f'auto(effort=low, policy="{file}")')
    full = await many(script, "self-consistency(n=16)")
    assert [a.answer for a in auto] == [b.answer for b in full]


@pytest.mark.parametrize("given", [{}, {"params": {"response_format": {"type": "json_object"}}}, {"tools": ({},)}])
async def test_what_nothing_can_choose_among_is_asked_for_once_as_it_came(given):
    messages = ({"role": "user", "content": "Tell me about 7 weeks."},)
    result, model, events = await solve(Script(), question=Problem(messages=messages, **given))
    assert model.books.calls == len(result.candidates) == 1
    assert model.asks[0].messages == messages
    assert [event.action for event in events if isinstance(event, Decided)] == ["sample 1"]


async def test_an_accuracy_is_reached_or_the_question_given_up():
    asked = await many(Script(accuracy=0.95), "auto(effort=high, accuracy=0.9)")
    for result in asked:
        assert (result.stop_reason == "settled") == (result.confidence >= 0.9)
    assert sum(result.stop_reason == "settled" for result in asked) > 20
    sure = await many(Script(accuracy=1, wrong=1), "auto(accuracy=0.6)")
    assert {len(result.candidates) for result in sure} == {1}


async def test_a_higher_price_buys_less():
    script = Script(accuracy=0.45)
    cheap, dear = await samples(script, "auto(price=1e-7)"), await samples(script, "auto(price=1e-3)")
    assert statistics.mean(dear) < statistics.mean(cheap)
    result, _, _ = await solve(script, "auto(price=0.9)")
    assert result.stop_reason in ("diminishing", "futile")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("auto(accuracy=1)", "between 0 and 1"),
        ("auto(accuracy=0)", "between 0 and 1"),
        ("auto(price=0)", "above 0"),
        ("auto(price=-1)", "above 0"),
        ("auto(effort=huge)", "effort takes low or medium or high, not huge"),
    ],
)
def test_what_contradicts_itself_is_told_when_it_is_made(text, told):
    with pytest.raises(BadSpec, match=told):
        strategy(text)


@pytest.mark.parametrize(
    ("data", "told"),
    [(None, "cannot be read"), (b'{"version": 1, "rule": 3}', "damaged"), (b'{"version": 99}', "update outthink")],
)
async def test_a_bad_policy_is_told_before_anything_is_spent(tmp_path, data, told):
    path, model = tmp_path / "policy.json", FakeModel(Script())
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(InputError, match=told):
        await solve(None, f'auto(policy="{path}")', model=model)
    assert model.books.calls == 0


async def test_more_answers_than_it_may_sample_are_refused_before_spending():
    model = FakeModel(Script())
    asked = Problem(messages=({"role": "user", "content": QUESTION.format(7)},), params={"n": 17})
    with pytest.raises(Unsupported, match="n=17"):
        await solve(None, "auto(effort=low)", asked, model)
    assert model.books.calls == 0


async def test_with_a_gate_one_sure_sample_is_enough_and_an_unsure_one_is_not(tmp_path):
    for least, count in ((-3.0, 1), (-0.001, 4)):
        policy = Policy(gate=Gate(least=least, precision=0.97), fingerprint=mark())
        file = written(policy, tmp_path / f"{count}.json")
        result, model, events = await solve(Script(accuracy=1, wrong=1), f'auto(policy="{file}")')
        assert len(result.candidates) == count
        assert not [event for event in events if isinstance(event, Warned)]
        assert result.confidence_source == ("calibrated" if count == 1 else "weighted_share")
        assert model.asks[0].n == 1
    only, _, _ = await solve(Script(accuracy=1, wrong=1), f'auto(policy="{tmp_path / "1.json"}")')
    assert only.confidence == 0.97


@pytest.mark.parametrize("other", [{"model": "large"}, {"prompt": "beef"}, {"temperature": 1.0}])
async def test_a_policy_fitted_on_something_else_warns_once_and_is_not_used(tmp_path, other):
    policy = Policy(rule=Lead(1), gate=Gate(least=-9.0, precision=0.99), fingerprint=mark(**other))
    file = written(policy, tmp_path / "policy.json")
    result, _, events = await solve(Script(accuracy=1, wrong=1), f'auto(policy="{file}")')
    plain, _, _ = await solve(Script(accuracy=1, wrong=1))
    (warned,) = [event for event in events if isinstance(event, Warned)]
    assert next(iter(other)) in warned.message
    assert "uncalibrated" in warned.message
    assert result.confidence_source == plain.confidence_source == "weighted_share"
    assert [c.text for c in result.candidates] == [c.text for c in plain.candidates]


async def test_a_policys_rule_horizon_and_weights_count(tmp_path):
    policy = Policy(rule=Lead(2), weights=Weights(none=2.0, calibrated=True), fingerprint=mark(), limit=20, price=1e-9)
    file = written(policy, tmp_path / "policy.json")
    result, _, _ = await solve(Script(accuracy=1, wrong=1), f'auto(policy="{file}")')
    assert len(result.candidates) == 2
    assert result.confidence == pytest.approx(2 / (2 + 2.718281828**2))


async def test_a_certified_rule_alone_decides_until_the_caller_names_a_price(tmp_path):
    script, known = (
        Script(accuracy=0.5),
        Policy(rule=Lead(12), fingerprint=mark(), price=0.5, limit=40),
    )
    spent = {}
    for name, policy in (("certified", replace(known, certified=True)), ("other", known)):
        file = written(policy, tmp_path / f"{name}.json")
        spent[name] = await samples(script, f'auto(policy="{file}")')
    spent["priced"] = await samples(script, f'auto(price=0.5, policy="{tmp_path / "certified.json"}")')
    assert min(spent["certified"]) >= 12
    assert spent["other"] == spent["priced"]
    assert max(spent["priced"]) < 12


@pytest.mark.parametrize("tokens", [400, 700, 1500])
async def test_a_budget_is_kept_and_its_end_is_the_reason(tokens):
    result, model, _ = await solve(Script(accuracy=0.3, wrong=9), budget=f"tokens={tokens}")
    assert model.books.prompt_tokens + model.books.completion_tokens <= tokens
    assert result.stop_reason in ("budget", "settled", "diminishing", "futile")
    assert result.answer is not None


async def test_a_budget_below_one_sample_names_the_smallest():
    with pytest.raises(BudgetTooSmall, match="the smallest that does"):
        await solve(Script(), budget="tokens=20")


async def test_samples_in_flight_stop_once_the_vote_is_settled_under_a_deadline(tmp_path):
    file = written(Policy(rule=Lead(3), certified=True), tmp_path / "policy.json")
    said = [f"The answer is {48 + k % 2}." for k in range(20)] + ["The answer is 49."] * 3
    slow = "word " * 200 + "The answer is 48."
    for budget in (None, "seconds=1000"):
        model = FakeModel(Script(replies=[*said, *[slow] * 20]), token_latency=0.1, lacks=("n",))
        result, _, _ = await solve(None, f'auto(effort=medium, policy="{file}")', model=model, budget=budget)
        assert (model.books.cancelled > 0, model.books.in_flight) == (budget is not None, 0)
        assert len(result.candidates) >= 24
    assert (result.stop_reason, result.answer.text) == ("settled", "49")


class Spending:
    """As much of a run as `Affordable` looks at."""

    def __init__(self, tokens=math.inf, seconds=None):
        self.tokens, self.seconds = tokens, seconds

    def tokens_left(self):
        return self.tokens

    def time_left(self):
        return self.seconds


def test_what_is_affordable_is_judged_by_what_the_samples_so_far_have_cost():
    known = Affordable(Spending(1000, 100.0), 64)
    assert known.left(Spending(1000, 100.0), 0) == 64
    assert known.left(Spending(600, 99.0), 4) == 6  # 100 tokens each
    assert known.left(Spending(990, 60.0), 4) == 6  # 10 seconds each
    assert known.left(Spending(10, 60.0), 4) == 1  # the books know better
    assert known.left(Spending(999, 99.9), 60) == 4
    assert known.left(Spending(999, 99.9), 64) == 0
    assert Affordable(Spending(), 32).left(Spending(), 8) == 24


async def test_what_a_server_gave_before_it_failed_still_answers():
    def fault(number, ask):
        return Refused("no more", 403) if number else None

    model = FakeModel(Script(accuracy=0.5), fault=fault)
    result, _, events = await solve(None, model=model)
    assert result.answer is not None
    assert (len(result.candidates), result.stop_reason) == (3, "exhausted")
    assert any("no more" in event.message for event in events if isinstance(event, Warned))
    with pytest.raises(Refused):
        await solve(None, model=FakeModel(Script(), fault=lambda number, ask: Refused("never", 403)))


async def test_as_many_answers_as_the_caller_wants_are_sampled_however_easy_it_is():
    asked = Problem(messages=({"role": "user", "content": QUESTION.format(7)},), params={"n": 6})
    result, _, _ = await solve(Script(accuracy=1, wrong=1), question=asked)
    assert (len(result.candidates), result.stop_reason) == (6, "settled")


async def test_one_seed_gives_one_result_and_samples_have_the_names_that_a_vote_gives_them():
    runs = [await solve(Script(accuracy=0.5), seed=5) for _ in range(2)]
    assert [c.text for c in runs[0][0].candidates] == [c.text for c in runs[1][0].candidates]
    vote, _, _ = await solve(Script(accuracy=0.5), "self-consistency(n=32)", seed=5)
    own = runs[0][0].candidates
    assert [c.index for c in own] == list(range(len(own)))
    assert [c.text for c in own] == [c.text for c in vote.candidates[: len(own)]]


async def test_every_decision_is_an_event_with_its_numbers():
    result, _, events = await solve(Script(accuracy=0.5))
    asked = [int(event.action.split()[1]) for event in decided(events, "sample")]
    assert sum(asked) == len(result.candidates)
    (stop,) = decided(events)
    assert stop.numbers["seen"] == len(result.candidates)
    assert {"P", "gain", "samples", "rate"} <= stop.numbers.keys()
    assert stop.reason.startswith(f"P = {result.confidence:.2f}")


async def test_the_confidence_is_the_share_of_the_votes_and_half_a_vote_against():
    result, _, _ = await solve(Script(accuracy=0.6))
    counts = Counter(c.answer.key for c in result.candidates)
    assert result.confidence == pytest.approx(max(counts.values()) / (counts.total() + 0.5))


class Oracle:
    """Knows which answer is right, and notes whom it was asked about."""

    def __init__(self, right):
        self.right, self.asked = right, []

    async def score(self, problem, candidates, run):
        self.asked.append([c.answer.text for c in candidates])
        return [Score(verifier="oracle", value=0.999 if c.answer.text == self.right else 0.001) for c in candidates]


async def test_a_verifier_looks_only_at_the_two_leading_answers_while_they_are_close():
    oracle = Oracle("49")
    script = Script(replies=["The answer is 48.", "The answer is 49.", "The answer is 48."] * 20)
    result, _, events = await solve(script, Auto(verifier=oracle))
    assert oracle.asked == [["48", "49"]]
    assert result.answer.text == "49"
    assert result.stop_reason == "settled"
    assert decided(events, "verify")
    plain, _, _ = await solve(script)
    assert plain.answer.text == "48"


async def test_a_verifier_is_not_asked_while_one_answer_is_ahead():
    oracle = Oracle("49")
    script = Script(replies=["The answer is 49." if k % 4 == 3 else "The answer is 48." for k in range(64)])
    result, _, _ = await solve(script, Auto(accuracy=0.97, verifier=oracle))
    assert (oracle.asked, result.answer.text) == ([], "48")


async def test_a_larger_model_goes_on_where_votes_settle_nothing_and_counts_double():
    class Two(Engine):
        async def _open(self, text):
            return await super()._open("fake:accuracy=1,wrong=1")

    logs = []
    small = FakeModel(Script(replies=[f"The answer is {k}." for k in range(64)]))
    async with Two(small) as engine:
        result = await engine.solve(QUESTION.format(7), strategy="auto(larger=big)", watch=logs.append)
    (step,) = decided(logs[0].events, "escalate")
    assert "big goes on" in step.reason
    asked = [c for c in result.candidates if c.index >= step.numbers["samples"]]
    assert result.votes[result.answer.text] == len(asked) == 8  # a whole wave, since the small model's votes disagree
    assert result.confidence == pytest.approx(16 / (step.numbers["samples"] + 16 + 0.5))
    assert result.stop_reason in ("settled", "diminishing")
    assert [c.index for c in result.candidates] == list(range(len(result.candidates)))


async def test_a_larger_model_that_cannot_be_had_costs_no_answer():
    script = Script(replies=[f"The answer is {k}." for k in range(64)])
    result, _, events = await solve(script, "auto(larger=nowhere)")
    surest = max(result.candidates, key=lambda found: found.logprobs.mean)  # all say something else
    assert (result.answer, result.stop_reason) == (surest.answer, "futile")
    assert any("nowhere could not go on" in event.message for event in events if isinstance(event, Warned))
    run = ReplayRun(Deck(pool(["The answer is 49."] * 32, QUESTION.format(7))))
    with pytest.raises(UnknownName):
        await strategy("auto(larger=nowhere)").solve(Problem.of(QUESTION.format(7)), run)
    assert run.samples == 0


async def test_a_larger_model_is_left_alone_where_the_vote_is_settled():
    result, _, events = await solve(Script(accuracy=1, wrong=1), "auto(larger=never)")
    assert not decided(events, "escalate")
    assert len(result.candidates) == 3


class Checks:
    """Passes what adds one, and says what else returns; alone, as tests are."""

    alone = True

    async def score(self, problem, candidates, run):
        right = ["x + 1" in found.text for found in candidates]
        return [Score(verifier="tests", raw=float(r), critique=None if r else "f(1) == 2: 3 == 2") for r in right]


async def test_a_program_that_passes_ends_it_at_once():
    result, model, events = await solve(Script(replies=[RIGHT]), Auto(verifier=Checks()), CODE)
    assert (model.books.calls, result.stop_reason) == (1, "verified")
    assert result.answer is not None
    assert result.confidence == 1.0
    assert decided(events)[-1].reason == "a program passes its tests"


async def test_after_four_failures_the_best_is_revised_with_the_words_of_its_failing_test():
    script = Script(replies=[WRONG] * 1000 + [RIGHT])
    result, model, events = await solve(script, Auto(verifier=Checks()), CODE)
    assert model.asks[-1].messages[-2] == {"role": "assistant", "content": WRONG}
    assert "f(1) == 2: 3 == 2" in model.asks[-1].messages[-1]["content"]
    actions = [event.action for event in events if isinstance(event, Decided)]
    assert actions == ["go by the uncalibrated rules", "sample 1", "sample 1", "sample 2", "revise", "stop"]
    assert result.stop_reason == "verified"
    assert result.candidates[-1].origin == "revise"
    assert [event.index for event in events if isinstance(event, CallStarted)] == [0, 1, 2, 1000]


async def test_a_pass_is_believed_as_far_as_calibration_says(tmp_path):
    law, problem = Solvable(alpha=0.5, beta=0.5, hopeless=0.2, false_pass=0.3), CODE
    prompt = prompt_fingerprint(few_shot(problem, 4), problem.question)
    policy = Policy(solvable=law, fingerprint=mark(prompt=prompt))
    for count, technique in enumerate([f'auto(policy="{written(policy, tmp_path / "policy.json")}")', "auto"]):
        given = dataclasses.replace(strategy(technique), verifier=Checks())
        result, _, events = await solve(Script(replies=[RIGHT]), given, problem)
        assert not [event for event in events if isinstance(event, Warned)]
        assert (result.confidence_source, result.stop_reason) == (("calibrated", "score")[count], "verified")
        assert result.confidence == pytest.approx((law.right_if_passed(0), 1.0)[count])


async def test_programs_that_never_pass_are_given_up_within_the_horizon():
    result, _, events = await solve(Script(replies=[WRONG]), Auto("low", verifier=Checks()), CODE)
    assert sum(found.origin == "sample" for found in result.candidates) == 16
    assert sum(event.action == "revise" for event in events if isinstance(event, Decided)) == 1
    assert (result.stop_reason, result.confidence) == ("exhausted", 0.0)
    dear, _, _ = await solve(Script(replies=[WRONG]), Auto("low", price=0.005, verifier=Checks()), CODE)
    assert len(dear.candidates) < 16
    assert dear.stop_reason in ("futile", "diminishing")


class Shares:
    """The share of tests that a program passes, written into it."""

    alone = True

    async def score(self, problem, candidates, run):
        return [Score(verifier="tests", raw=float("passes half" in found.text) / 2) for found in candidates]


async def test_revising_goes_on_only_as_long_as_it_gets_further():
    better = WRONG.replace("return", "# passes half\n    return")
    script = Script(replies=[WRONG] * 1000 + [better, better.replace("half", "half too")])
    _, _, events = await solve(script, Auto("low", verifier=Shares()), CODE)
    told = [event.index for event in events if isinstance(event, CallStarted) and event.index >= 1000]
    assert told == [1000, 1001]


async def test_programs_that_nothing_can_test_are_sampled_once():
    result, model, _ = await solve(Script(replies=[WRONG]), question=CODE)
    assert (model.books.calls, len(result.candidates), result.stop_reason) == (1, 1, "unscorable")


async def test_a_larger_model_is_not_given_up_for_what_the_smaller_failed():
    class Two(Engine):
        async def _open(self, text):
            return Line(FakeModel(Script(replies=[RIGHT])), 8)

    logs = []
    async with Two(FakeModel(Script(replies=[WRONG]))) as engine:
        technique = Auto("high", price=0.005, verifier=Checks(), larger="big")
        result = await engine.solve(CODE, strategy=technique, watch=logs.append)
    assert decided(logs[0].events)[0].reason.startswith("none passed")  # the smaller one's end
    assert result.stop_reason == "verified"


def pool(replies, question):
    samples = tuple(PoolSample(text=text, tokens=20, finish="stop") for text in replies)
    mark = Fingerprint(model="tiny", parameters=5e8)
    return PoolRow(
        id="q", question=question, samples=samples, answer="49", kind="number", prompt_tokens=50, fingerprint=mark
    )


async def test_on_a_pool_programs_are_tried_one_after_another_without_revisions():
    row, found = pool([*[WRONG] * 6, RIGHT, *[WRONG] * 40], CODE.question), []
    for seed in range(8):
        deck = Deck(row)
        first = list(deck.order(seed)).index(6)
        run = ReplayRun(deck, seed)
        result = run.completed(await Auto(verifier=Checks()).solve(CODE, run))
        found.append(result.stop_reason)
        assert (result.stop_reason == "verified") == (first < 32)
        assert run.samples <= 32
        assert {candidate.origin for candidate in result.candidates} == {"sample"}
    assert "verified" in found


async def test_replay_comes_to_what_the_full_vote_of_the_pool_does():
    draw = random.Random(1)
    same = 0
    for seed in range(50):
        said = [f"The answer is {draw.choice(['49', '49', '49', '48', '50'])}." for _ in range(32)]
        row = pool(said, QUESTION.format(7))
        run = ReplayRun(Deck(row), seed)
        result = await strategy("auto").solve(Problem(messages=({"role": "user", "content": row.question},)), run)
        votes = Votes()
        for place in range(32):
            votes.add(Deck(row).candidate(place, place, Problem(messages=(), answer_kind="number"), None, False))
        same += result.answer == votes.leader().answer
    assert same >= 48


def test_it_prints_back_as_it_was_written():
    assert strategy_text("auto( accuracy=0.9, effort = low )") == "auto(effort=low, accuracy=0.9)"
    assert strategy("auto(effort=low)") == Auto(effort="low")


async def test_it_ends_where_runs_that_share_its_budget_gain_more(monkeypatch):
    asked = []

    async def worth_it(self, gain, tokens):
        asked.append((gain, tokens))
        return False

    monkeypatch.setattr("outthink.engine.run.EngineRun.worth_it", worth_it)
    result, model, events = await solve(Script(replies=[f"The answer is {n}." for n in range(9)]))
    assert result.stop_reason == "diminishing"
    assert decided(events)[0].reason == "the budget gains more elsewhere"
    ((gain, tokens),) = asked  # before the second wave, which is not bought
    assert model.books.calls == 1
    assert 0 <= gain <= 1
    assert tokens > model.books.prompt_tokens


async def test_a_policy_whose_predictions_fail_is_given_up_for_the_uncalibrated_rules(tmp_path):
    policy = Policy(rule=Lead(votes=2), agreement=0.99, fingerprint=mark())
    technique = f"auto(policy='{written(policy, tmp_path / 'p.json')}')"
    torn, warned = FakeModel(Script(accuracy=0.3)), []
    async with Engine(torn) as engine:
        for k in range(2, 90):
            logs = []
            await engine.solve(QUESTION.format(k), strategy=technique, watch=logs.append)
            warned.append([event.message for event in logs[0].events if isinstance(event, Warned)])
    assert warned[0] == []
    assert "samples no longer agree" in warned[-1][0]


async def test_where_samples_disagree_a_long_prompt_is_sent_in_fewer_wider_waves():
    torn = Script(replies=[f"The answer is {n % 4}." for n in range(64)])
    _, model, _ = await solve(torn)
    waves = [ask.n for ask in model.asks]
    assert waves[0] < 8
    assert set(waves[1:-1]) == {8}


def candidate(index, answer, mean):
    text = f"The answer is {answer}."
    return Candidate(
        index=index, message={"role": "assistant", "content": text}, text=text, finish="stop", tokens=5, model="fake",
        answer=canonical(answer, "number"), logprobs=LogprobSummary(mean, mean, mean),
    )  # fmt: skip


def test_log_probabilities_weigh_as_the_policy_has_them_and_not_those_of_a_larger_model():
    weights = Weights(log_count=1.0, columns=(Column(mean=1.0),), calibrated=True)
    said = [("1", -2.0), ("1", -2.0), ("2", -0.5)]

    def confidence(columns, times):
        tally = Tally(weights, columns)
        for index, (answer, mean) in enumerate(said):
            tally.add(candidate(index, answer, mean), times)
        return tally.posterior()

    found = confidence(("mean",), 1)  # log 2 - 2 against log 1 - 0.5 and log 0.5 for none of them
    parts = {"2": math.exp(-0.5), "1": 2 * math.exp(-2.0)}
    assert found.leader == "2"
    assert found.confidence == pytest.approx(parts["2"] / (sum(parts.values()) + 0.5))
    assert confidence((), 1).leader == "1"
    assert confidence(("mean",), 2).leader == "1"


def test_what_a_verifier_says_weighs_beside_a_policys_votes():
    tally = Tally(Weights(log_count=1.0, columns=(Column(mean=9.0),), calibrated=True), ("mean",))
    for index, answer in enumerate(("1", "2")):
        tally.add(candidate(index, answer, -1.0))
        tally.scores[index] = Score(verifier="v", raw=0.0, value=(0.2, 0.8)[index])
    found = tally.posterior()  # odds 1/4 and 4 times one vote each, and half a vote for none
    assert found.probabilities["2"] == pytest.approx(4 / (4 + 0.25 + 0.5))


async def test_a_draw_goes_to_the_surest_words():
    said = [("1", -0.3), ("2", -0.9), ("1", -0.3), ("2", -0.2), ("3", -0.01)]
    tally = Tally()
    for index, (answer, mean) in enumerate(said):
        tally.add(candidate(index, answer, mean))
    result = tally.result(ReplayRun(Deck(pool(["The answer is 49."], QUESTION.format(7)))), "exhausted")
    assert (result.answer.text, result.votes) == ("2", {"2": 2, "1": 2, "3": 1})


async def test_log_probabilities_are_asked_for_but_where_the_plain_votes_answer_is_wanted(tmp_path):
    file = written(Policy(rule=Lossless(), fingerprint=Mark()), tmp_path / "policy.json")
    for technique, asked in (("auto", True), (f'auto(policy="{file}")', False)):
        _, model, _ = await solve(Script(accuracy=0.6), technique)
        assert {ask.logprobs for ask in model.asks} == {asked}
