"""Lettering and axes of the report's plots."""

import itertools

from hypothesis import example, given
from hypothesis import strategies as st

from outthink.bench.report.labels import LINE, overlap, place_labels, spread
from outthink.bench.report.standing import family
from outthink.bench.report.svg import log_axis, share_axis, tag
from outthink.bench.report.wording import count, dollars, fold, operations, share, signed, times_between


@given(st.lists(st.floats(0, 300), max_size=12))
def test_names_at_line_ends_keep_their_order_and_their_distance(wanted):
    found = spread(wanted, 15, 0, 300)
    order = sorted(range(len(wanted)), key=lambda place: wanted[place])
    placed = [found[place] for place in order]
    assert all(later - earlier >= 15 - 1e-6 for earlier, later in itertools.pairwise(placed))
    assert all(-1e-6 <= height <= 300 + 1e-6 for height in found)


def test_names_that_have_room_stay_where_they_are_wanted():
    assert spread([200.0, 10.0, 100.0], 15, 0, 300) == [200, 10, 100]
    assert spread([100.0, 100.0], 15, 0, 300) == [92.5, 107.5]


@given(st.lists(st.tuples(st.floats(60, 700), st.floats(40, 380)), min_size=1, max_size=8))
@example([(60.0, 40.0)] * 5)
@example([(700.0, 380.0)] * 8)
def test_labels_of_a_few_marks_never_lie_on_each_other(anchors):
    marks = [(x - 7, y - 7, x + 7, y + 7) for x, y in anchors]
    boxes = place_labels(anchors, [120.0] * len(anchors), marks, (40, 20, 780, 400))
    assert all(overlap(one, other) == 0 for one, other in itertools.combinations(boxes, 2))
    assert all(abs(box[3] - box[1] - LINE) < 1e-6 for box in boxes)


@given(st.lists(st.floats(0, 1), min_size=1), st.lists(st.floats(1, 1e6), min_size=1))
def test_axes_hold_every_value_and_have_some_ticks(shares, tokens):
    y, x = share_axis(shares, 400, 0), log_axis(tokens, 0, 700)
    assert all(0 <= y.low <= value <= y.high <= 1 for value in shares)
    assert all(x.low < value < x.high for value in tokens)
    assert 2 <= len(y.ticks(6)) <= 9
    assert 1 <= len(x.ticks(10)) <= 10
    assert y.high - y.low >= 0.05


def test_an_element_escapes_its_text_and_its_attributes():
    assert tag("text", "<a & 'b'>", x=1.0, class_='"x') == (
        '<text x="1" class="&#34;x">&lt;a &amp; &#39;b&#39;&gt;</text>'
    )


def test_a_family_is_a_technique_apart_from_its_own_n():
    assert family("self-consistency(n=16)") == "self-consistency"
    assert family("best-of-n(n=8, verifier=judge)") == "best-of-n(verifier=judge)"
    assert family("refine(self-consistency(n=4), rounds=2)") == "refine(self-consistency(n=4), rounds=2)"
    assert family("not a ( strategy") == "not a ( strategy"


def test_figures_are_written_one_way():
    assert share(0.4812) == "48.1\u202f%"
    assert [signed(0.142), signed(-0.01), signed(-0.0001)] == ["+14.2", "\u22121.0", "0.0"]
    assert [count(1234), count(6.4), count(12.0), count(None)] == ["1,234", "6.4", "12", "–"]
    assert [dollars(0.00123), dollars(0), dollars(1.5)] == ["$0.0012", "$0.00", "$1.50"]
    assert operations(1.24e12) == "1.2\u202f×\u202f10¹²"
    assert fold(15.83) == "15.8\u00a0times"
    assert times_between((1.6, None)) == "[1.60,\u00a0∞]"
