"""Strategy expressions: parse and print are inverse, and a fault is named with its column."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.core.errors import BadSpec
from outthink.strategies.spec import Call, parse, render

names = st.from_regex(r"[a-z]([a-z0-9_.]|-[a-z0-9])*", fullmatch=True).filter(
    lambda name: name not in ("true", "false", "none")
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**18), 10**18),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
)


def calls(values):
    keywords = st.dictionaries(names.map(lambda name: name.replace("-", "_")), values, max_size=3)
    return st.builds(
        lambda name, args, kwargs: Call(name, tuple(args), tuple(kwargs.items())),
        names,
        st.lists(values, max_size=3),
        keywords,
    )


values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3).map(tuple) | calls(inner), max_leaves=12)


@given(calls(values))
def test_what_is_printed_is_read_back_equal(call):
    assert parse(render(call)) == call
    assert render(parse(render(call))) == render(call)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_with_a_column(text):
    try:
        parse(text)
        return
    except BadSpec as refused:
        error = refused
    assert 1 <= error.column <= len(text) + 1
    assert f"column {error.column}" in str(error)


def test_the_designs_own_examples_are_read():
    assert parse("self-consistency(n=16)") == Call("self-consistency", (), (("n", 16),))
    assert parse("refine(self-consistency(n=4), rounds=2)") == Call(
        "refine", (Call("self-consistency", (), (("n", 4),)),), (("rounds", 2),)
    )
    ensemble = parse('ensemble(self-consistency(n=4), models=[a, "b@http://host/v1"])')
    assert dict(ensemble.kwargs) == {"models": (Call("a"), "b@http://host/v1")}
    assert parse("auto(policy='my file.json')") == Call("auto", (), (("policy", "my file.json"),))
    assert parse(" cot ( shots = 0 , ) ") == Call("cot", (), (("shots", 0),))


@pytest.mark.parametrize(
    ("text", "column", "what"),
    [
        ("", 1, "empty"),
        ("(n=3)", 1, "needs a name"),
        ("direct)", 7, "goes on with ')'"),
        ("cot(", 4, "not closed"),
        ("cot(shots=)", 11, "needs a value"),
        ("cot(shots=2 3)", 13, "needs , or )"),
        ("cot(shots=2, shots=3)", 14, "twice"),
        ("cot(shots=2, 3)", 14, "positional"),
        ("auto(policy='x)", 13, "not closed"),
        ("cot(model=a@b)", 12, "needs , or )"),
        ("a(" * 60, 103, "nested deeper"),
        ("a" * 20_000, 1, "longer than"),
    ],
)
def test_a_fault_is_named_with_its_column(text, column, what):
    with pytest.raises(BadSpec, match="column") as caught:
        parse(text)
    assert what in str(caught.value)
    assert caught.value.column == column
