"""Auto with a policy that gives hopeless chains up: what is generated, who votes, and where it is left alone."""

import anyio
import pytest
from doubtful import DOUBT, STOP_AT, SURE, WHOLE, Doubtful

from outthink import Engine, Problem
from outthink.adaptive.curtailment import Curtail
from outthink.adaptive.drift import Drift
from outthink.adaptive.gate import Gate
from outthink.adaptive.giving_up import GiveUp
from outthink.adaptive.policy import Policy, to_json
from outthink.adaptive.posterior import Evidence, Weights, posterior
from outthink.adaptive.stopping import Fixed
from outthink.bench.deck import Deck
from outthink.bench.replay import ReplayRun
from outthink.core.events import CallStarted, Decided, GivenUp
from outthink.engine.context import Line
from outthink.models.fake import FakeModel
from outthink.models.fake_server import FakeServer
from outthink.models.http import HttpModel
from outthink.models.pool import PoolRow, PoolSample
from outthink.models.script import count_prompt
from outthink.plugins import strategy

QUESTION = "How many days are there in 7 weeks?"
SPARES = GiveUp(below=-1.0, saves=10_000)


def model(*replies, **options):
    return FakeModel(Doubtful(replies=replies), token_latency=0.01, **options)


@pytest.fixture
def auto(tmp_path):
    """``auto(giving_up, …)``: the text of auto with a policy of five samples, fitted on anything."""

    def text(giving_up=SPARES, extra="", **policy):
        file = tmp_path / f"policy{len(list(tmp_path.iterdir()))}.json"
        known = {"rule": Fixed(5), "certified": True, "limit": 5, **policy}
        file.write_bytes(to_json(Policy(giving_up=giving_up, **known)))
        return f'auto(policy="{file}"{extra})'

    return text


async def solve(model, technique, engine=Engine, question=QUESTION, **options):
    logs = []
    async with engine(model) as engine:
        result = await engine.solve(question, strategy=technique, watch=logs.append, **options)
    return result, logs[0].events


def of(events, kind):
    return [event for event in events if isinstance(event, kind)]


def test_over_http_a_hopeless_chain_is_cut_does_not_vote_and_the_server_sent_no_more(auto):
    replies = (DOUBT, SURE, DOUBT, DOUBT, SURE)

    async def over_http(giving_up):
        server = FakeServer(Doubtful(replies=replies), token_latency=0.01, slots=1)
        async with server.serve():
            found = await solve(HttpModel("fake", server.base_url), auto(giving_up))
            with anyio.fail_after(10):
                while server.in_flight:
                    await anyio.sleep(0.01)
        return server, found

    server, (result, events) = anyio.run(over_http, SPARES)
    whole, (plain, _) = anyio.run(over_http, None)
    assert (str(plain.answer), plain.votes) == ("48", {"48": 3, "49": 2})
    assert (str(result.answer), result.votes) == ("49", {"49": 2})
    assert sorted(one.ended for one in server.billed) == ["cancelled"] * 3 + ["ok"] * 2
    assert whole.completion_tokens == 3 * WHOLE[DOUBT] + 2 * WHOLE[SURE]
    assert server.completion_tokens < 3 * WHOLE[DOUBT] / 2 + 2 * WHOLE[SURE]
    assert result.usage.completion_tokens <= server.completion_tokens
    assert result.usage.prompt_tokens == server.prompt_tokens
    assert sorted(event.index for event in of(events, GivenUp)) == [0, 2, 3]


@pytest.mark.anyio
async def test_what_is_spared_was_never_generated_and_every_sample_is_counted(auto):
    fake = model(DOUBT, SURE, DOUBT, DOUBT, SURE)
    result, events = await solve(fake, auto())
    assert fake.books.completion_tokens == result.usage.completion_tokens == 3 * STOP_AT + 2 * WHOLE[SURE]
    assert [found.tokens for found in result.candidates] == [STOP_AT, WHOLE[SURE], STOP_AT, STOP_AT, WHOLE[SURE]]
    silent, said = Evidence(None, whole=False), Evidence("49")
    assert result.confidence == pytest.approx(posterior([silent, said, silent, silent, said], Weights()).confidence)
    assert [(ask.n, ask.logprobs) for ask in fake.asks] == [(1, True)] * 5
    assert of(events, Decided)[-1].numbers["seen"] == 5
    said = of(events, Decided)[0]
    assert said.action == "give up hopeless chains"
    assert said.numbers == {"below": -1.0, "saves": 10_000, "prompt": count_prompt(fake.asks[0].messages)}


@pytest.mark.anyio
async def test_where_the_prompt_is_longer_than_what_is_spared_all_is_as_without(auto):
    plain_model, fake = model(DOUBT, SURE, SURE), model(DOUBT, SURE, SURE)
    plain, _ = await solve(plain_model, auto(None))
    prompt = count_prompt(plain_model.asks[0].messages)
    result, events = await solve(fake, auto(GiveUp(below=-1.0, saves=prompt)))
    assert [ask.n for ask in fake.asks] == [ask.n for ask in plain_model.asks]
    assert max(ask.n for ask in fake.asks) > 1
    assert fake.books == plain_model.books
    assert (result.votes, result.confidence, result.usage.tokens) == (plain.votes, plain.confidence, plain.usage.tokens)
    assert of(events, Decided)[0].action == "give up no chain"
    assert not of(events, GivenUp)
    cut, _ = await solve(model(DOUBT, SURE, SURE), auto(GiveUp(below=-1.0, saves=prompt + 1)))
    assert cut.votes == {"49": 3}


@pytest.mark.anyio
async def test_a_policy_without_it_asks_as_before(auto):
    fake = model(DOUBT, SURE, SURE)
    _, events = await solve(fake, auto(None))
    assert {ask.logprobs for ask in fake.asks} == {True}
    assert not of(events, GivenUp)
    assert [event.action for event in of(events, Decided)] == ["sample 5", "stop"]


@pytest.mark.anyio
async def test_a_chain_that_came_whole_but_fell_below_counts_as_one_that_was_cut(auto):
    fake = FakeModel(Doubtful(replies=(DOUBT, SURE, DOUBT)), lacks=("stream",))
    told = Weights(silent=0.1, cut=4.0, calibrated=True)
    result, _ = await solve(fake, auto(weights=told))
    cut, _ = await solve(model(DOUBT, SURE, DOUBT), auto(weights=told))
    assert (result.votes, result.confidence) == (cut.votes, cut.confidence)
    assert result.votes == {"49": 2}


@pytest.mark.anyio
async def test_where_every_chain_is_given_up_the_surest_is_the_result(auto):
    deeper = "um " * 100 + "The answer is 47."
    result, _ = await solve(model(deeper, DOUBT), auto())
    assert result.answer is None
    assert result.text.startswith("so so")
    assert len(result.candidates) == 5
    silent, _ = await solve(model(deeper, "I cannot say.", DOUBT), auto())
    assert silent.text == "I cannot say."  # which was not given up


@pytest.mark.anyio
async def test_a_chain_that_is_given_up_is_not_made_to_say_its_answer(auto):
    endless = "so " * 40 + "um " * 2000
    result, events = await solve(FakeModel(Doubtful(replies=(endless, SURE)), lacks=("stream",)), auto())
    plain, _ = await solve(FakeModel(Doubtful(replies=(endless, SURE)), lacks=("stream",)), auto(None))
    assert {found.origin for found in plain.candidates} == {"sample", "continue"}
    assert {found.origin for found in result.candidates} == {"sample"}
    assert len(of(events, CallStarted)) == 5


@pytest.mark.anyio
async def test_a_first_chain_that_is_given_up_does_not_pass_the_gate(auto):
    gated = auto(gate=Gate(least=-99.0, precision=0.97))
    fallen, _ = await solve(FakeModel(Doubtful(replies=(DOUBT, SURE)), lacks=("stream",)), gated)
    assert len(fallen.candidates) == 5
    sure, _ = await solve(model(SURE, DOUBT), gated)
    assert (len(sure.candidates), sure.confidence) == (1, 0.97)


@pytest.mark.anyio
async def test_a_larger_model_is_not_judged_by_how_sure_the_smaller_was(auto):
    larger = model(DOUBT)

    class Two(Engine):
        async def _open(self, text):
            return Line(larger, 8)

    scattered = model(*["so " * 60 + f"The answer is {k}." for k in range(64)])
    technique = auto(extra=", larger=big", rule=Fixed(16), limit=16)
    result, _ = await solve(scattered, technique, Two)
    assert larger.books.calls
    assert larger.books.cancelled == 0
    assert result.votes["48"] == sum(ask.n for ask in larger.asks)


@pytest.mark.anyio
@pytest.mark.parametrize(("saves", "met"), [(10_000, [False]), (1, [])])
async def test_agreement_is_watched_only_where_chains_are_given_up_as_it_was_counted(auto, monkeypatch, saves, met):
    seen = []
    monkeypatch.setattr(Drift, "add", lambda self, expected, agreed: seen.append(agreed))
    await solve(model(DOUBT, DOUBT, SURE), auto(GiveUp(-1.0, saves), agreement=0.9))
    assert seen == met


TORN = ["so " * 28 + f"The answer is {k}." for k in (1, 1, 2, 1, 1, 2, 2, 1)]


@pytest.mark.anyio
async def test_each_sample_pays_its_prompt_where_runs_share_a_budget(auto, monkeypatch):
    asked = []

    async def worth_it(self, gain, tokens):
        asked.append(tokens)
        return False

    monkeypatch.setattr("outthink.engine.run.EngineRun.worth_it", worth_it)
    for giving_up, prompts in ((SPARES, 2), (None, 1)):
        fake = model(*TORN)
        _, events = await solve(fake, auto(giving_up, rule=Curtail(), limit=32))
        assert of(events, Decided)[-1].numbers["samples"] == 2  # what would be worth most
        assert asked.pop() == 2 * 32 + prompts * count_prompt(fake.asks[0].messages)


@pytest.mark.anyio
async def test_waves_are_no_wider_for_a_prompt_that_each_sample_sends_anyway(auto):
    _, events = await solve(model(*TORN), auto(rule=Curtail(), limit=32))
    _, wider = await solve(model(*TORN), auto(None, rule=Curtail(), limit=32))
    waves, others = ([e.action for e in of(known, Decided) if "sample" in e.action] for known in (events, wider))
    assert (waves[:2], others[:2]) == (["sample 3", "sample 3"], ["sample 3", "sample 7"])


@pytest.mark.anyio
async def test_replay_lets_them_not_vote_and_counts_them_whole(auto):
    low = {"logprob_mean": -1.0, "logprob_tail": -1.0}
    said = [("48", -3.0)] * 3 + [("49", -0.5)] * 2
    samples = tuple(PoolSample(text=f"The answer is {k}.", tokens=64, logprob_low=p, **low) for k, p in said)
    run = ReplayRun(Deck(PoolRow(id="q", question=QUESTION, samples=samples, kind="number", prompt_tokens=50)))
    problem = Problem(messages=({"role": "user", "content": QUESTION},))
    result = run.completed(await strategy(auto()).solve(problem, run))
    assert result.votes == {"49": 2}
    assert result.usage.completion_tokens == 5 * 64
