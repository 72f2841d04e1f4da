"""JSON and tool calls as answers, held against the standard library's JSON."""

import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.answers import canonical, extract

FOUND = [
    ('{"a": [1, 2]}', {"a": [1, 2]}),
    ('Here it is:\n```json\n{"a": 1}\n```\nDone.', {"a": 1}),
    ("```\n[1]\n```\nand then\n```\n[2]\n```", [2]),
    ('```json\n{"a": 1}\n```\n```python\nprint({"b": 2})\n```', {"a": 1}),
    ('The object {"a": {"b": "}"}} is what you want.', {"a": {"b": "}"}}),
    ('The object {"a": "\\\\", "b": "\\"}"} then', {"a": "\\", "b": '"}'}),
    ("A list [1, 2], then [3, 4] at last.", [3, 4]),
    ('Look at [this], it is {"a": 1}, and (that] too', {"a": 1}),
    ("[x] [1] {y}", [1]),
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**25), 10**25) | st.text(max_size=6) | st.sampled_from([0.5, -0.25]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
ALIKE = st.recursive(
    st.sampled_from([0, False, None, 1, True, "1", "", 1.5, 10]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=3,
)
WAYS = st.sampled_from([{"indent": 2}, {"ensure_ascii": False}, {"separators": (",", ":")}, {"sort_keys": True}])


@pytest.mark.parametrize(("text", "value"), FOUND)
def test_json_is_found_whole_fenced_or_in_prose(text, value):
    assert json.loads(extract(text, "json").text) == value


@given(VALUES, WAYS)
def test_json_is_one_answer_however_it_is_written(value, way):
    found = canonical(json.dumps(value, **way), "json")
    assert found == canonical(json.dumps(value), "json")
    assert json.loads(found.text, parse_float=Fraction) == value
    assert canonical(found.text, "json") == found


@given(ALIKE, ALIKE)
def test_two_documents_are_one_answer_just_when_their_values_are_equal(one, other):
    same = canonical(json.dumps(one), "json").key == canonical(json.dumps(other), "json").key
    assert same == (json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True))


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30))
def test_numbers_are_equal_by_their_exact_value(number):
    text = format(number, "f")
    exact = canonical(text, "json")
    assert Fraction(exact.text) == Fraction(text)
    assert canonical(format(number, "e"), "json") == exact


def test_numbers_keep_every_digit_in_any_size():
    assert canonical("123456789012345678901234567890", "json").text == "123456789012345678901234567890"
    assert canonical("1e400", "json").text == "1e400"
    assert canonical("-1.50e-30", "json").text == "-15e-31"
    assert canonical("-0.0", "json").text == "0"
    assert canonical("1e9999999999", "json") is None  # nothing is made of that


@pytest.mark.parametrize(
    "text", ["", "{", "{'a': 1}", "NaN", "[1,]", "Infinity", "nothing", "[" * 5000, "[1] " * 20 + "]" * 50]
)
def test_what_is_no_json_is_no_answer(text):
    with_nothing = canonical(text, "json")
    assert with_nothing is None


def test_prose_with_brackets_that_do_not_match_has_no_json():
    assert extract("so (a] and }{ and ]", "json") is None
    assert extract("x" * 10 + "]" * 1000, "json") is None
    assert extract("no brackets at all", "json") is None


def test_a_text_that_was_cut_gives_only_what_a_closed_block_holds():
    assert extract('{"a": 1}', "json", marked=True) is None
    assert extract('{"a": 1} and', "json", marked=True) is None
    assert extract('```json\n{"a": 1}\n```\nthat is', "json", marked=True).text == '{"a":1}'


def test_a_document_that_is_too_long_is_no_answer():
    assert canonical("[" + "1," * 60_000 + "1]", "json") is None


CALL = {"name": "find", "arguments": {"a": 1, "b": [1, 2]}}
FORM = '[{"arguments":{"a":1,"b":[1,2]},"name":"find"}]'


def message(*calls):
    return {"role": "assistant", "tool_calls": [{"id": f"call_{i}", "function": call} for i, call in enumerate(calls)]}


def test_a_call_is_its_name_and_arguments_whatever_its_id_and_writing():
    as_text = {"name": "find", "arguments": '{"b": [1.0, 2], "a": 1e0}'}
    assert extract("", "tool_call", message=message(CALL)).text == FORM
    assert extract("", "tool_call", message=message(as_text)).text == FORM


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(CALL),
        json.dumps([CALL]),
        f"<tool_call>\n{json.dumps(CALL)}\n</tool_call>",
        f"</tool_call> as I said: <tool_call> <tool_call>{json.dumps(CALL)}</tool_call> </tool_call>",
        json.dumps({"name": "find", "parameters": {"b": [1, 2], "a": 1}}),
    ],
)
def test_calls_that_a_server_left_in_the_text_are_read_there(text):
    assert extract(text, "tool_call").text == FORM
    assert canonical(text, "tool_call").text == FORM
    assert extract(text, "tool_call", message={"role": "assistant", "content": text}).text == FORM


def test_calls_differ_by_name_by_arguments_by_number_and_by_order():
    other = {"name": "find", "arguments": {"a": 2}}
    named = {"name": "look", "arguments": CALL["arguments"]}
    answers = [
        message(CALL),
        message(other),
        message(named),
        message(CALL, other),
        message(other, CALL),
        message(CALL, CALL),
    ]
    assert len({extract("", "tool_call", message=one).key for one in answers}) == len(answers)


def test_a_call_without_arguments_has_empty_ones():
    forms = [
        {"name": "now"},
        {"name": "now", "arguments": None},
        {"name": "now", "arguments": " "},
        {"name": "now", "arguments": {}},
    ]
    assert {extract("", "tool_call", message=message(call)).text for call in forms} == {
        '[{"arguments":{},"name":"now"}]'
    }


@pytest.mark.parametrize(
    "call", [None, "find", {"arguments": {}}, {"name": ""}, {"name": 3}, {"name": "find", "arguments": '{"a": '}]
)
def test_a_broken_call_is_no_answer(call):
    assert extract("", "tool_call", message=message(CALL, call)) is None


def test_text_without_calls_has_none():
    assert extract("I would rather not.", "tool_call") is None
    assert extract("<tool_call>{</tool_call>", "tool_call") is None
    assert extract("[]", "tool_call") is None
    assert canonical("nothing", "tool_call") is None
    assert extract(json.dumps(CALL), "tool_call", marked=True) is None
