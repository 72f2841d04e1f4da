"""The file of a fitted verifier: it comes back as it went, and a bad one is told in a line."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.core.errors import InputError
from outthink.core.mark import Mark
from outthink.verifiers.fitted import Fitted, read_fitted, to_json
from outthink.verifiers.heads import Isotonic, Linear, Platt, Tree, Trees, logistic

STUMP = Tree(feature=(1, -1, -1), threshold=(0.5, 0, 0), left=(1, 0, 0), right=(2, 0, 0), value=(0, -1.0, 2.0))
FITTED = Fitted(
    kind="probe",
    columns=("sure", "shared"),
    fill=(0.1, 0.2),
    head=Trees(0.25, (STUMP,)),
    curve=Platt(1.5, -0.5),
    mark=Mark(model="m", temperature=0.7),
    ids=("q1", "q2"),
)


def test_it_comes_back_as_it_went(tmp_path):
    for head, curve in ((Linear((1.0, -2.0), 0.5), Isotonic((0.0, 1.0), (0.2, 0.9))), (FITTED.head, FITTED.curve)):
        fitted = Fitted(kind="stack", columns=("a", "b"), head=head, curve=curve, report={"note": 1})
        file = str(tmp_path / "v.json")
        Path(file).write_bytes(to_json(fitted))
        assert read_fitted(file, "stack") == fitted
        assert json.loads((tmp_path / "v.json").read_text())["format"] == "outthink-verifier"


def test_a_file_that_is_no_verifier_of_ours_is_told_with_the_remedy(tmp_path):
    file = tmp_path / "v.json"
    file.write_bytes(to_json(FITTED))
    good = json.loads(file.read_text())
    loop = good["head"]["trees"][0] | {"left": [0, 0, 0]}
    cases = [
        ("{}", "is not a verifier file"),
        (json.dumps(good)[:200], "is damaged"),
        (json.dumps(good | {"version": 9}), "of version 9"),
        (json.dumps(good | {"columns": ["sure"]}), "is damaged"),
        (json.dumps(good | {"head": good["head"] | {"trees": [loop]}}), "leads nowhere"),
        (json.dumps(good | {"curve": {"type": "isotonic", "raw": [1, 0], "probability": [0, 1]}}), "no rising list"),
    ]
    for place, (text, told) in enumerate(cases):
        bad = tmp_path / f"bad{place}.json"
        bad.write_text(text)
        with pytest.raises(InputError, match=told) as caught:
            read_fitted(str(bad), "probe")
        assert "train" in str(caught.value)
    with pytest.raises(InputError, match="cannot be read"):
        read_fitted(str(tmp_path / "none.json"), "probe")
    with pytest.raises(InputError, match="of the kind probe; use probe"):
        read_fitted(str(file), "stack")


def test_a_file_that_was_trained_again_is_read_again(tmp_path):
    file = str(tmp_path / "v.json")
    Path(file).write_bytes(to_json(FITTED))
    assert len(read_fitted(file, "probe").ids) == 2
    Path(file).write_bytes(to_json(Fitted(kind="probe", columns=("sure",), ids=("q1", "q2", "q3"))))
    assert len(read_fitted(file, "probe").ids) == 3


def test_trees_go_left_at_the_threshold():
    assert [FITTED.raw([0.0, x]) for x in (0.4, 0.5, 0.6)] == [-0.75, -0.75, 2.25]


@given(st.lists(st.tuples(st.integers(-50, 50), st.floats(0, 1)), min_size=1, max_size=8), st.floats(-60, 60))
def test_an_isotonic_curve_is_straight_between_its_points_and_level_outside(points, raw):
    x = sorted({a for a, _ in points})
    y = sorted(b for _, b in points)[: len(x)]
    assert Isotonic(tuple(x), tuple(y)).of(raw) == pytest.approx(float(np.interp(raw, x, y)))


def test_a_probability_from_log_odds_is_exact_far_out_too():
    assert logistic(0.0) == 0.5
    assert logistic(800) == 1.0
    assert logistic(-800) == pytest.approx(0.0)
    assert logistic(1.2) + logistic(-1.2) == pytest.approx(1.0)


def test_origins_differ_only_in_what_both_know():
    here = Mark(model="m", prompt="abc", temperature=0.7)
    assert here.differs(Mark(model="m")) is None
    assert here.differs(Mark()) is None
    assert here.differs(Mark(model="other", temperature=1.0)) == "model m, not other and temperature 0.7, not 1.0"
