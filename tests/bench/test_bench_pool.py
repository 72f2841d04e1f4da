"""A bench on a pool: its rows are the engine's runs, its figures those of its rows, and nothing is lost."""

import json

import msgspec
import numpy as np
import pytest
from benching import pool_rows, read, write

from outthink import Engine
from outthink.adaptive.policy import Policy, to_json
from outthink.bench import pools
from outthink.bench.apart import Workers
from outthink.bench.block import Block, Dealing
from outthink.bench.plan import Asked, check_held_out
from outthink.bench.stats import holm, majority_at_k, pass_at_k
from outthink.bench.summary import Summary
from outthink.core.errors import InputError, Unsupported
from outthink.core.problem import Problem
from outthink.core.usage import Budget
from outthink.core.wire import Price
from outthink.models.pool import open_pool

pytestmark = pytest.mark.anyio
TWO = ("self-consistency(n=4)", "best-of-n(n=8, verifier=symbolic)")


@pytest.fixture
def pool(tmp_path):
    return write(tmp_path / "p.jsonl", pool_rows())


async def test_every_row_is_a_run_of_the_engine_over_the_pool(benched, pool, tmp_path):
    await benched(pool, *TWO, repeats=3, seed=5)
    rows = read(tmp_path / "out" / "rows.jsonl")
    order = [(q, s, r) for q in range(12) for s in TWO for r in range(3)]
    assert [(row["id"], row["strategy"], row["repeat"]) for row in rows] == [(f"q{q}", s, r) for q, s, r in order]
    async with Engine(await open_pool(f"pool:{pool}")) as engine:
        for row in rows[::5]:
            question = f"How many legs have {row['id'][1:]} cats?"
            problem = Problem(messages=({"role": "user", "content": question},), answer_kind="number")
            result = await engine.solve(problem, strategy=row["strategy"], seed=5 + row["repeat"])
            gold = str(10 + int(row["id"][1:]))
            assert row == {
                "strategy": row["strategy"],
                "model": "tiny",
                "id": row["id"],
                "repeat": row["repeat"],
                "correct": float(str(result.answer) == gold),
                "answer": str(result.answer),
                "confidence": pytest.approx(result.confidence),
                "confidence_source": result.confidence_source,
                "stop_reason": result.stop_reason,
                "samples": len(result.candidates),
                "calls": result.usage.calls,
                "prompt_tokens": result.usage.prompt_tokens,
                "completion_tokens": result.usage.completion_tokens,
                "tokens": result.usage.tokens,
                "verifier_tokens": 0,
                "usd": None,
                "seconds": None,
                "flops": result.usage.flops,
                "error": None,
            }


async def test_questions_are_kept_with_their_samples_and_difficulty(benched, pool, tmp_path):
    await benched(pool, TWO[0], repeats=1)
    for number, (row, kept) in enumerate(zip(pool_rows(), read(tmp_path / "out" / "questions.jsonl"), strict=True)):
        right = [f"is {10 + number}." in one.text for one in row.samples]
        assert (kept["id"], kept["gold"], kept["grader"], kept["kind"]) == (row.id, row.answer, "number", "number")
        assert (kept["question"], kept["cluster"]) == (row.question, row.id)
        assert kept["difficulty"] == pytest.approx(np.mean(right))
        assert [one["correct"] for one in kept["samples"]] == right
        assert [(one["text"], one["tokens"]) for one in kept["samples"]] == [(s.text, s.tokens) for s in row.samples]


async def test_figures_are_those_of_the_rows(benched, pool, tmp_path):
    summary = await benched(pool, *TWO, repeats=4, prices={"tiny": Price(1.0, 2.0)})
    rows = read(tmp_path / "out" / "rows.jsonl")
    for one in summary.strategies:
        own = [row for row in rows if row["strategy"] == one.strategy]
        assert one.accuracy == pytest.approx(np.mean([row["correct"] for row in own]))
        assert one.accuracy_ci[0] <= one.accuracy <= one.accuracy_ci[1]
        assert one.tokens_mean == pytest.approx(np.mean([row["tokens"] for row in own]))
        dollars = [(row["prompt_tokens"] + 2 * row["completion_tokens"]) / 1e6 for row in own]
        assert one.usd_mean == pytest.approx(np.mean(dollars))
        assert one.flops_mean == pytest.approx(2 * 5e8 * one.tokens_mean)
        assert (one.seconds_p50, one.errors, sum(one.stop_reasons.values())) == (None, 0, len(own))
        squares = [(row["confidence"] - row["correct"]) ** 2 for row in own]
        assert one.brier == pytest.approx(np.mean(squares))
        assert sum(bin_.n for bin_ in one.reliability) == 12
    (pair,) = summary.pairs
    assert (pair.a, pair.b, pair.mcnemar_p) == (TWO[1], TWO[0], None)
    better = summary.strategies[1].accuracy - summary.strategies[0].accuracy
    assert pair.accuracy_diff == pytest.approx(better)
    assert pair.holm_p == holm([pair.accuracy_diff_p])[0]
    assert pair.token_ratio == pytest.approx(summary.strategies[1].tokens_mean / summary.strategies[0].tokens_mean)
    assert summary.data.questions == 12
    saved = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert msgspec.convert(saved, Summary, strict=False) == msgspec.json.decode(
        msgspec.json.encode(summary), type=Summary
    )


async def test_one_order_of_a_pool_is_no_single_run_for_mcnemar(benched, pool):
    assert (await benched(pool, *TWO, repeats=1)).pairs[0].mcnemar_p is None


async def test_curves_random_and_oracle_are_the_pools(benched, pool):
    summary = await benched(pool, *TWO, repeats=2)
    rows = pool_rows()
    right = [[f"is {10 + i}." in one.text for one in row.samples] for i, row in enumerate(rows)]
    answers = [[one.text.split()[-1] for one in row.samples] for row in rows]
    assert summary.random == pytest.approx(np.mean(right))
    assert summary.oracle == pytest.approx(np.mean([any(one) for one in right]))
    assert summary.samples == 8
    for place, k in enumerate((1, 2, 4, 8)):
        tokens = np.mean([40 + k * np.mean([one.tokens for one in row.samples]) for row in rows])
        for curve, value in (
            (summary.random_curve, np.mean(right)),
            (summary.oracle_curve, np.mean(pass_at_k([8] * 12, np.sum(right, axis=1), k))),
            (summary.majority_curve, np.mean([majority_at_k(a, r, k) for a, r in zip(answers, right, strict=True)])),
        ):
            assert curve[place][:3] == pytest.approx((k, tokens, value))
            assert curve[place][3] <= value <= curve[place][4]
    assert set(summary.curves) == {"self-consistency", "best-of-n(verifier=symbolic)"}
    assert [point[0] for point in summary.curves["self-consistency"]] == [1, 2, 4, 8]
    assert {one.b for one in summary.iso_accuracy if one.a == TWO[0]} == {"best-of-n(verifier=symbolic)", "majority"}


async def test_difficulty_parts_hold_every_question_once(benched, pool):
    summary = await benched(pool, TWO[0], repeats=2)
    (parts,) = summary.by_difficulty.values()
    assert sum(part.n for part in parts.values()) == 12
    mean = sum(part.n * (part.accuracy or 0) for part in parts.values()) / 12
    assert mean == pytest.approx(summary.strategies[0].accuracy)


async def test_known_accuracy_is_recovered_and_equal_strategies_are_not_told_apart(benched, tmp_path):
    pool = write(tmp_path / "p.jsonl", pool_rows(101, 8, seed=3))
    strategies = "self-consistency(n=1)", "self-consistency(n=1, width=2)", "self-consistency(n=8)"
    summary = await benched(pool, *strategies, repeats=20)
    one, same, vote = summary.strategies
    assert one.accuracy_ci[0] <= 0.5 <= one.accuracy_ci[1]  # the chances were 0, 0.01 … 1
    assert one.accuracy == pytest.approx(summary.random, abs=0.03)
    assert (same.accuracy, same.tokens_mean) == (one.accuracy, one.tokens_mean)
    told = {(pair.a, pair.b): pair.distinguishable for pair in summary.pairs}
    assert told == {(same.label, one.label): False, (vote.label, one.label): True, (vote.label, same.label): True}


async def test_processes_of_their_own_come_to_the_same_bytes(benched, pool, tmp_path, monkeypatch):
    await benched(pool, *TWO, repeats=3, out="here")
    monkeypatch.setattr(pools, "HERE", 0)
    await benched(pool, *TWO, repeats=3, out="apart")
    for name in ("rows.jsonl", "curves.jsonl", "summary.json"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "apart" / name).read_bytes()


async def test_a_process_that_is_lost_ends_the_bench_with_a_word(benched, pool, monkeypatch):
    monkeypatch.setattr(pools, "HERE", 0)
    monkeypatch.setattr("outthink.bench.apart._CODE", "raise SystemExit")
    with pytest.raises(InputError, match="a process of the bench was lost"):
        await benched(pool, *TWO, repeats=3)


async def test_what_goes_wrong_in_a_process_of_its_own_is_told_here(benched, pool):
    found = pools.read(pool)
    plan = pools.planned(pool, found, Asked(strategies=TWO))
    dealing = msgspec.structs.replace(Dealing.of(plan, found.text, 8), strategies=("best-of-n(n=9)",))
    async with Workers(dealing, 1) as workers:
        for _ in range(2):  # the process goes on
            with pytest.raises(InputError, match="holds 8 samples of 'q0'"):
                await workers.deal(Block(found.rows[0], found.data[0], []))


async def test_a_prompt_that_no_budget_holds_costs_its_own_question_only(benched, tmp_path):
    rows = pool_rows()
    rows[6] = msgspec.structs.replace(rows[6], prompt_tokens=10**6)
    summary = await benched(write(tmp_path / "p.jsonl", rows), TWO[0], repeats=2, budget=Budget(tokens=900))
    assert summary.strategies[0].errors == 2


async def test_cut_anywhere_and_gone_on_with_the_files_are_the_same_to_the_byte(benched, pool, tmp_path):
    await benched(pool, *TWO, repeats=3, out="whole")
    whole = {path.name: path.read_bytes() for path in (tmp_path / "whole").iterdir()}
    for part in (0, 1000, 12345, len(whole["rows.jsonl"]) - 1):
        out = tmp_path / f"cut{part}"
        out.mkdir()
        lines = part * whole["curves.jsonl"].count(b"\n") // len(whole["rows.jsonl"]) + 1
        (out / "plan.json").write_bytes(whole["plan.json"])
        (out / "rows.jsonl").write_bytes(whole["rows.jsonl"][:part])
        (out / "curves.jsonl").write_bytes(b"".join(whole["curves.jsonl"].splitlines(keepends=True)[:lines]) + b'{"id"')
        (out / "grades.jsonl").write_bytes(whole["grades.jsonl"][: part or 10])
        await benched(pool, *TWO, repeats=3, out=out.name)
        assert {path.name: path.read_bytes() for path in out.iterdir()} == whole


async def test_a_folder_with_another_bench_is_left_alone(benched, pool, tmp_path):
    await benched(pool, TWO[0], repeats=2)
    before = (tmp_path / "out" / "rows.jsonl").read_bytes()
    with pytest.raises(InputError, match="holds another bench: its repeats is 2, not 3"):
        await benched(pool, TWO[0], repeats=3)
    write(tmp_path / "p.jsonl", pool_rows(seed=1))
    with pytest.raises(InputError, match="holds another bench: its data is"):
        await benched(pool, TWO[0], repeats=2)
    assert (tmp_path / "out" / "rows.jsonl").read_bytes() == before


async def test_a_budget_holds_in_every_run_and_what_comes_to_nothing_is_wrong(benched, pool, tmp_path):
    summary = await benched(pool, "self-consistency(n=8)", repeats=5, budget=Budget(tokens=150))
    rows = read(tmp_path / "out" / "rows.jsonl")
    assert max(row["tokens"] for row in rows) <= 150
    assert {row["stop_reason"] for row in rows} <= {"budget", "settled", "exhausted"}
    assert "budget" in summary.strategies[0].stop_reasons
    none = await benched(pool, "self-consistency(n=8)", repeats=1, budget=Budget(tokens=50), out="none")
    assert (none.strategies[0].accuracy, none.strategies[0].errors) == (0.0, 12)
    assert "12 of self-consistency(n=8)" in none.notes[-1]


async def test_one_question_tells_nothing_apart(benched, tmp_path):
    summary = await benched(write(tmp_path / "p.jsonl", pool_rows(1)), *TWO, repeats=2)
    (pair,) = summary.pairs
    assert (pair.distinguishable, pair.detectable_difference, pair.accuracy_diff_ci) == (False, None, (-1, 1))


async def test_a_strategy_that_never_ran_has_no_ratio_of_tokens(benched, pool):
    summary = await benched(pool, *TWO, repeats=2, budget=Budget(tokens=50))
    assert [one.errors for one in summary.strategies] == [24, 24]
    assert (summary.pairs[0].token_ratio, summary.pairs[0].token_ratio_ci) == (None, (None, None))


def changed(place, **fields):
    rows = pool_rows()
    rows[place] = msgspec.structs.replace(rows[place], **fields)
    return rows


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (changed(3, answer=None), 'line 4 has no "answer"'),
        (changed(2, kind="choice", extra={"grader": "choice"}, answer="B", choices=("x", "y")), "line 3: 'q2' asks"),
        (
            changed(5, fingerprint=pool_rows(model="other")[0].fingerprint),
            "line 6: 'q5' was recorded with model other",
        ),
        ([*pool_rows(prompt="a")[:2], *pool_rows(prompt="b")[2:3]], "line 3: 'q2' was recorded with prompt b"),
        (changed(7, samples=()), "line 8: 'q7' has no samples"),
        (changed(6, samples=pool_rows()[6].samples[:3]), "takes 4 samples, and the pool .* holds 3 of 'q6'"),
        ([*pool_rows(), msgspec.structs.replace(pool_rows()[0], question="Another?")], "line 13: the id 'q0' is"),
    ],
)
async def test_rows_that_do_not_go_together_are_told_by_their_line(benched, tmp_path, rows, said):
    pool = write(tmp_path / "p.jsonl", rows)
    with pytest.raises(InputError, match=said):
        await benched(pool, TWO[0])
    assert not (tmp_path / "out").exists()


async def test_half_a_last_line_of_a_pool_is_left_out(benched, tmp_path):
    path = tmp_path / "p.jsonl"
    write(path, pool_rows(5))
    path.write_bytes(path.read_bytes()[:-30])
    assert (await benched(str(path), TWO[0], repeats=1)).data.questions == 4


@pytest.mark.parametrize(
    ("strategy", "asked", "said"),
    [
        ("think", {}, "prompt .* run|recorded with"),
        ("self-consistency(n=9)", {}, "takes 9 samples"),
        ("self-consistency(n=4)", {"models": ("fake",)}, "leave out --model"),
        ("self-consistency(n=4)", {"budget": Budget(seconds=3)}, "no seconds"),
        ("self-consistency(n=4)", {"budget": Budget(usd=3)}, "by --price"),
    ],
)
async def test_what_a_pool_cannot_give_is_refused_before_anything_is_written(benched, tmp_path, strategy, asked, said):
    pool = write(tmp_path / "p.jsonl", pool_rows(prompt="0123", temperature=0.7))
    with pytest.raises(InputError, match=said):
        await benched(pool, strategy, **asked)
    assert not (tmp_path / "out").exists()


async def test_a_strategy_that_needs_new_text_is_told_to_run_live(benched, pool, monkeypatch):
    class Asking:
        async def solve(self, problem, run):
            return await run.sample(Problem.of("Something else?"))

    monkeypatch.setattr("outthink.plugins.strategy", lambda text: Asking())
    monkeypatch.setattr("outthink.plugins.strategy_text", lambda text: text)
    monkeypatch.setattr("outthink.plugins.reached_for", lambda text: ())
    with pytest.raises(Unsupported, match=r"asking: the pool .* cannot say anything new; run the strategy live"):
        await benched(pool, "asking")


async def test_questions_that_a_policy_was_fitted_on_are_refused(tmp_path):
    policy = tmp_path / "policy.json"
    policy.write_bytes(to_json(Policy(fitted=("q3", "q5"))))
    text = f'route(easy=direct, hard=auto(policy="{policy}"))'
    with pytest.raises(InputError, match=r"was fitted on 1 of these questions \('q3' first\)"):
        check_held_out([text], ["q1", "q2", "q3"])
    check_held_out([text], ["q1", "q2"])


async def test_questions_that_a_verifier_was_fitted_on_are_refused(tmp_path):
    file = tmp_path / "verifier.json"
    file.write_text(json.dumps({"format": "outthink-verifier", "ids": ["q1"]}))
    text = f'fallback(direct, best-of-n(n=2, verifier=stack([confidence], file="{file}")))'
    with pytest.raises(InputError, match=r"verifier\.json was fitted on 1"):
        check_held_out([text], ["q1", "q2"])
    check_held_out([text], ["q2"])


@pytest.mark.parametrize(("written", "told"), [(None, "cannot be read"), ("[1]", "neither a policy nor a verifier")])
async def test_a_file_that_tells_no_questions_is_told(tmp_path, written, told):
    file = tmp_path / "policy.json"
    if written:
        file.write_text(written)
    with pytest.raises(InputError, match=told):
        check_held_out([f'auto(policy="{file}")'], ["q1"])
