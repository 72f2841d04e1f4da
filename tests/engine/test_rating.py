"""Asks to reward models through the one door: charged as the server counts, inside every budget, never at the cost of
an answer. Real sockets; the reward server's own books are the oracle."""

import anyio
import pytest

from outthink import Engine, Problem
from outthink.core.candidate import Candidate
from outthink.core.events import CallSettled, CallStarted, Scored, Warned
from outthink.core.usage import Budget
from outthink.engine.log import EventLog
from outthink.models.fake import FakeModel
from outthink.models.fake_reward_server import FakeRewardServer
from outthink.models.fake_server import Faults
from outthink.models.script import Script

pytestmark = [pytest.mark.anyio, pytest.mark.real_time, pytest.mark.usefixtures("short_waits")]
QUESTION = "How many days are there in 7 weeks?"
REPLIES = ["First.\n\nThe answer is 48.", "Second.\n\nThe answer is 48.", "Third.\n\nThe answer is 49."]
WORTH = {"First.": 0.3, "Second.": 0.2, "Third.": 0.9}


def fake(dialect="vllm", **options):
    return FakeRewardServer(dialect, value=lambda step: WORTH.get(step, 0.95), **options)


async def solve(server, strategy='best-of-n(n=3, verifier=prm(model="{}"))', name="Qwen2.5-Math-PRM-7B", **options):
    logs: list[EventLog] = []
    async with Engine(FakeModel(Script(replies=REPLIES))) as engine:
        text = strategy.format(name if server is None else f"{name}@{server.url}")
        result = await engine.solve(QUESTION, strategy=text, watch=logs.append, **options)
    return result, logs[0].events


def warnings(events):
    return [event.message for event in events if isinstance(event, Warned)]


def books(result):
    return result.by_role.get("verifier")


async def test_the_steps_decide_and_the_books_are_the_servers():
    server = fake()
    async with server.serve():
        result, events = await solve(server)
    assert str(result.answer) == "49"
    assert {c.index: c.scores["prm"] for c in result.candidates} == {0: 0.3, 1: 0.2, 2: 0.9}
    spent = books(result)
    assert (spent.calls, spent.prompt_tokens, spent.completion_tokens) == (1, server.prompt_tokens, 0)
    assert not spent.estimated
    assert spent.seconds > 0
    assert result.usage.prompt_tokens == result.by_role["policy"].prompt_tokens + server.prompt_tokens
    (started,) = [event for event in events if isinstance(event, CallStarted) and event.role == "verifier"]
    assert (started.n, started.model, started.max_tokens) == (3, "Qwen2.5-Math-PRM-7B", 0)
    assert [event.scores for event in events if isinstance(event, Scored)] == [{0: 0.3, 1: 0.2, 2: 0.9}]
    assert warnings(events) == []


async def test_a_request_a_candidate_is_still_one_ask_and_each_call_is_charged():
    server = fake()
    async with server.serve():
        result, _ = await solve(server, 'best-of-n(n=3, verifier=reward(model="{}"))', "Skywork-Reward-V2-Qwen3-8B")
    assert (books(result).calls, books(result).prompt_tokens) == (3, server.prompt_tokens)
    assert len(server.billed) == 3


async def test_without_a_bill_the_bound_is_charged_and_marked():
    server = fake(usage=False)
    async with server.serve():
        result, _ = await solve(server)
    assert books(result).estimated
    assert books(result).unsettled_calls == 1
    assert books(result).prompt_tokens > server.prompt_tokens > 0


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", ["Qwen2.5-Math-PRM-7B", "Llama3.1-8B-PRM-Deepseek-Data"])
async def test_faults_cost_calls_but_no_answer_and_the_truth_lies_within_the_charge(seed, name):
    rates = {"429": 0.15, "500": 0.1, "503": 0.05, "cut": 0.1, "malformed": 0.05, "html": 0.05, "empty": 0.05}
    server = fake(faults=Faults(rates, seed))
    async with server.serve():
        result, events = await solve(server, name=name)
    assert result.answer is not None
    spent = books(result)
    assert spent.calls == len(server.billed)
    charged = [event for event in events if isinstance(event, CallSettled)][-1].charged
    policy = result.by_role["policy"]
    assert spent.estimated == bool(spent.unsettled_calls)
    assert policy.tokens + server.prompt_tokens + server.completion_tokens <= (
        charged.prompt_tokens + charged.completion_tokens
    )
    if not spent.unsettled_calls:
        assert spent.prompt_tokens == server.prompt_tokens


@pytest.mark.parametrize("kind", ["429", "500"])
async def test_a_refused_request_costs_a_call_and_no_tokens(kind):
    server = fake(faults=Faults(first=2, first_kind=kind))
    async with server.serve():
        result, events = await solve(server)
    spent = books(result)
    assert (spent.calls, spent.prompt_tokens, spent.unsettled_calls) == (3, server.prompt_tokens, 0)
    assert [event.attempt for event in events if isinstance(event, CallStarted)][-3:] == [1, 2, 3]
    assert warnings(events) == []


@pytest.mark.parametrize(
    ("faults", "told"),
    [(Faults({"500": 1.0}), "answered 500"), (Faults({"malformed": 1.0}), "is no rating"), (None, "answered 401")],
)
async def test_a_reward_model_that_fails_leaves_the_plain_vote_and_one_warning(faults, told):
    server = fake(faults=faults or Faults(), key=None if faults else "sk")
    async with server.serve():
        result, events = await solve(server)
    assert str(result.answer) == "48"  # by two votes to one
    (warning,) = warnings(events)
    assert warning.startswith("the verifier ProcessReward could not tell")
    assert told in warning
    assert books(result).calls == len(server.billed)
    assert server.in_flight == 0


async def test_one_candidate_that_cannot_be_rated_leaves_the_others_their_scores():
    server = fake(longest=40)
    replies = [*REPLIES[:2], "Third " + "and so on " * 20 + "\n\nThe answer is 49."]
    async with server.serve(), Engine(FakeModel(Script(replies=replies))) as engine:
        logs = []
        text = f'best-of-n(n=3, verifier=reward(model="Skywork-Reward-V2-Qwen3-8B@{server.url}"))'
        result = await engine.solve(QUESTION, strategy=text, watch=logs.append)
    assert {c.index: c.scores["reward"] is None for c in result.candidates} == {0: False, 1: False, 2: True}
    (warning,) = warnings(logs[0].events)
    assert "did not rate 1 of 3 answers" in warning
    assert "maximum context length" in warning


async def test_a_deadline_ends_the_asking_and_the_vote_is_returned():
    server = fake(faults=Faults({"hang": 1.0}))
    async with server.serve():
        with anyio.fail_after(20):
            result, events = await solve(server, budget="seconds=0.4")
    assert str(result.answer) == "48"
    assert result.stop_reason == "exhausted" or result.stop_reason == "deadline"
    assert any("deadline" in warning for warning in warnings(events))
    assert books(result).unsettled_calls == 1
    assert server.in_flight == 0


@pytest.mark.parametrize("budget", [400, 700, 1000, 1500, 3000])
async def test_a_token_budget_is_never_passed(budget):
    server = fake()
    async with server.serve():
        result, events = await solve(server, budget=Budget(tokens=budget))
    for event in events:
        if isinstance(event, CallSettled | CallStarted):
            held = event.held
            charged = event.charged if isinstance(event, CallSettled) else None
            spent = (charged.prompt_tokens + charged.completion_tokens) if charged else 0
            assert spent + held.prompt_tokens + held.completion_tokens <= budget
    assert result.answer is not None
    assert result.usage.tokens <= budget
    if not server.billed:
        assert any("could not tell" in warning for warning in warnings(events))


async def test_a_dollar_budget_needs_the_reward_models_price_and_an_alias_gives_it(monkeypatch, tmp_path):
    from outthink.core.wire import Price

    server = fake()
    monkeypatch.setenv("OUTTHINK_HOME", str(tmp_path))
    monkeypatch.setenv("JUDGE_KEY", "sk-judge")
    async with server.serve():
        (tmp_path / "config.toml").write_text(
            f'[models.steps]\nendpoint = "{server.url}/v1"\nname = "Qwen2.5-Math-PRM-7B"\nkey_env = "JUDGE_KEY"\n'
            "price_in = 2.0\nprice_out = 4.0\nparameters = 7e9\nrpm = 600\n"
        )
        model = FakeModel(Script(replies=REPLIES))
        model.price = Price(1.0, 1.0)
        async with Engine(model) as engine:
            told = await engine.solve(
                QUESTION,
                strategy=f'best-of-n(n=3, verifier=prm(model="Qwen2.5-Math-PRM-7B@{server.url}"))',
                budget="usd=1",
            )
            found = await engine.solve(QUESTION, strategy="best-of-n(n=3, verifier=prm(model=steps))", budget="usd=1")
    assert "verifier" not in told.by_role
    spent = found.by_role["verifier"]
    assert spent.usd == pytest.approx(server.prompt_tokens * 2.0 / 1e6)
    assert spent.flops == pytest.approx(2 * 7e9 * server.prompt_tokens)
    assert server.keys == ["Bearer sk-judge"]
    assert str(found.answer) == "49"


async def test_a_reward_below_zero_chooses_the_single_best_rather_than_counting_against_its_answer():
    server = FakeRewardServer("vllm", value=lambda text: -1.0 if "48" in text else -1.5)
    async with server.serve():
        result, _ = await solve(server, 'best-of-n(n=3, verifier=reward(model="{}"))', "Skywork-Reward-V2-Qwen3-8B")
    assert str(result.answer) == "48"
    assert sorted(c.scores["reward"] for c in result.candidates) == [-1.5, -1.0, -1.0]


async def test_open_text_is_chosen_by_an_outcome_reward():
    server = FakeRewardServer("llamacpp", value=lambda text: float("Third" in text))
    async with server.serve():
        strategy = f'best-of-n(n=3, verifier=reward(model="bge-reranker-v2-m3@{server.url}"))'
        async with Engine(FakeModel(Script(replies=REPLIES))) as engine:
            result = await engine.solve(Problem.of("Say something.", "text"), strategy=strategy)
    assert result.text == REPLIES[2]


async def test_a_run_without_an_engine_has_no_reward_models():
    from outthink.core.wire import RateAsk
    from outthink.engine.context import Limits, Line, RunContext
    from outthink.engine.ledger import Ledger
    from outthink.engine.run import EngineRun
    from outthink.verifiers.reward import ProcessReward

    model, log = FakeModel(Script()), EventLog()
    run = EngineRun(RunContext(Line(model, 8), log, 0), Limits(Ledger(Budget()), log))
    said = Candidate(index=0, message={}, text="x", finish="stop", tokens=1, model="m")
    (score,) = await run.score(Problem.of(QUESTION), [said], ProcessReward("m@http://127.0.0.1:1"))
    assert score.raw is None
    with pytest.raises(Exception, match="no reward models"):
        await run.rate(RateAsk(messages=(), answers=()), "m")
