"""From bytes to replies: recorded shapes of several servers, split anywhere, and bytes that no server should send."""

import contextlib
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.core.errors import BadReply
from outthink.core.wire import Bill
from outthink.models.dialects import DIALECTS
from outthink.models.replies import StreamReader, read_count, read_reply

WHERE = "http://host/v1"


def body(*choices, **more) -> bytes:
    return json.dumps({"choices": list(choices), **more}).encode()


def choice(text="hi", index=0, **more) -> dict:
    return {"index": index, "message": {"role": "assistant", "content": text}, "finish_reason": "stop", **more}


def usage(prompt, completion, **more) -> dict:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion, **more}


def logprobs(*values) -> dict:
    return {"logprobs": {"content": [{"token": "t", "logprob": value, "top_logprobs": []} for value in values]}}


OPENAI = body(
    choice("One.", 0, logprobs=None),
    choice("Two.", 1, logprobs=None, finish_reason="length"),
    id="chatcmpl-1",
    object="chat.completion",
    model="gpt",
    usage=usage(
        19, 10, prompt_tokens_details={"cached_tokens": 16, "audio_tokens": 0},
        completion_tokens_details={"reasoning_tokens": 4, "audio_tokens": 0},
    ),
    service_tier="default",
)  # fmt: skip


def test_a_reply_of_openai_is_read_with_its_bill():
    reply, dialect = read_reply(OPENAI, WHERE, None, 2)
    assert [(c.index, c.text, c.finish, c.tokens) for c in reply.choices] == [
        (0, "One.", "stop", None),
        (1, "Two.", "length", None),
    ]
    assert reply.bill == Bill(19, 10, 16, 4)
    assert dialect is None  # nothing in a plain reply tells


def test_llama_cpps_usage_of_one_choice_is_replaced_by_the_length_of_each_choices_logprobs():
    data = body(
        choice("a", 0, **logprobs(-0.1, -0.2)),
        choice("b", 1, **logprobs(-0.1, -0.2, -0.3)),
        usage=usage(30, 2),
        timings={"prompt_n": 30, "predicted_n": 2, "predicted_ms": 12.5},
    )
    reply, dialect = read_reply(data, WHERE, None, 2)
    assert reply.bill == Bill(30, 5)
    assert [c.tokens for c in reply.choices] == [2, 3]
    assert dialect is DIALECTS["llamacpp"]


def test_llama_cpps_usage_of_one_choice_is_no_bill_for_several_where_logprobs_are_missing():
    data = body(choice("a", 0), choice("b", 1), usage=usage(30, 2), timings={"predicted_n": 2})
    assert read_reply(data, WHERE, None, 2)[0].bill is None


def test_reasoning_and_tool_calls_are_kept():
    calls = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    message = {"role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": calls}
    reply, _ = read_reply(body({"message": message, "finish_reason": "tool_calls"}), WHERE, None)
    found = reply.choices[0]
    assert (found.text, found.reasoning, found.finish, found.message) == ("", "hm", "tool_calls", message)


def test_choices_come_in_order_and_numbers_that_are_not_sound_are_given_anew():
    for numbers, wanted in (
        ((1, 0, 2), {"c1": 0, "c0": 1, "c2": 2}),  # as the server says
        ((0, 0, 0), {"c0": 0, "c1": 1, "c2": 2}),  # all the same
        ((1, 2, 3), {"c0": 0, "c1": 1, "c2": 2}),  # counted from one
        ((-1, 0, 99), {"c0": 0, "c1": 1, "c2": 2}),
    ):
        data = body(*(choice(f"c{place}", number) for place, number in enumerate(numbers)))
        found = read_reply(data, WHERE, None, 3)[0].choices
        assert {c.text: c.index for c in found} == wanted
        assert [c.index for c in found] == [0, 1, 2]


def test_a_choice_that_a_server_left_out_keeps_its_place_free():
    found = read_reply(body(choice("a", 0), choice("c", 2)), WHERE, None, 3)[0].choices
    assert [c.index for c in found] == [0, 2]


@pytest.mark.parametrize(
    "told",
    [
        None,
        {},
        {"prompt_tokens": 5},
        {"completion_tokens": 5},
        {"prompt_tokens": None, "completion_tokens": None},
        usage(0, 0),
        usage(-5, 3),
        usage(5, -3),
    ],
)
def test_a_usage_that_cannot_be_a_bill_is_none(told):
    assert read_reply(body(choice(), usage=told), WHERE, None)[0].bill is None
    reader = StreamReader(WHERE, None)
    list(reader.feed(events({"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]}, {"usage": told})))
    assert reader.finish().bill is None


def test_cached_tokens_are_never_more_than_the_prompt_nor_less_than_none():
    for cached, wanted in ((99, 7), (-3, 0), (5, 5), (None, 0)):
        told = usage(7, 1, prompt_tokens_details={"cached_tokens": cached})
        bill = read_reply(body(choice(), usage=told), WHERE, None)[0].bill
        assert bill is not None
        assert bill.cached_tokens == wanted


def test_log_probabilities_above_zero_or_without_a_number_are_bounded():
    found = read_reply(body(choice(**logprobs(3.5, 1e300))), WHERE, None)[0].choices[0].logprobs
    assert found is not None
    assert found.mean == 0.0
    found = read_reply(body(choice(**logprobs(None, -1e300))), WHERE, None)[0].choices[0].logprobs
    assert found is not None
    assert found.mean == -9999.0


DEEP = b"[" * 100_000
BROKEN = {
    "nothing": b"",
    "text": b"Hello",
    "null": b"null",
    "a list": b"[]",
    "no choices": b"{}",
    "choices null": b'{"choices": null}',
    "choices empty": b'{"choices": []}',
    "choices an object": b'{"choices": {}}',
    "a choice that is text": b'{"choices": ["a"]}',
    "index as text": b'{"choices": [{"index": "0", "message": {"content": "a"}}]}',
    "index as a fraction": b'{"choices": [{"index": 0.5, "message": {"content": "a"}}]}',
    "message as text": b'{"choices": [{"message": "a"}]}',
    "content a number": b'{"choices": [{"message": {"content": 5}}]}',
    "content an object": b'{"choices": [{"message": {"content": {"a": 1}}}]}',
    "content a list of text": b'{"choices": [{"message": {"content": ["a"]}}]}',
    "reasoning a number": b'{"choices": [{"message": {"content": "a", "reasoning_content": 3}}]}',
    "tool calls as text": b'{"choices": [{"message": {"content": "a", "tool_calls": "f()"}}]}',
    "finish reason a number": b'{"choices": [{"message": {"content": "a"}, "finish_reason": 1}]}',
    "usage as text": b'{"choices": [{"message": {"content": "a"}}], "usage": "5"}',
    "counts as text": b'{"choices": [{"message": {"content": "a"}}], "usage": {"prompt_tokens": "5"}}',
    "counts without end": b'{"choices": [{"message": {}}], "usage": {"prompt_tokens": 1' + b"0" * 99 + b"}}",
    "NaN": b'{"choices": [{"message": {"content": "a"}, "logprobs": {"content": [{"logprob": NaN}]}}]}',
    "invalid UTF-8": b'{"choices": [{"message": {"content": "\xff\xfe"}}]}',
    "half a surrogate": b'{"choices": [{"message": {"content": "\\ud800"}}]}',
    "cut": OPENAI[: len(OPENAI) // 2],
    "deep": DEEP,
    "deep in an unknown field": b'{"x": ' + DEEP,
    "deep in the message": b'{"choices": [{"message": {"content": "a", "x": ' + DEEP,
    "deep in the error": b'{"error": ' + DEEP,
    "error as text": b'{"error": "model is\\nloading"}',
    "error as an object": b'{"error": {"message": "model is\\nloading", "code": 500}}',
    "error as a number": b'{"error": 5}',
}  # fmt: skip


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_bytes_that_are_no_reply_are_a_bad_reply_in_one_line_that_names_the_server(data):
    with pytest.raises(BadReply) as caught:
        read_reply(data, WHERE, None)
    assert WHERE in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=3), lambda inner: st.lists(inner) | (
    st.dictionaries(st.sampled_from([
        "choices", "message", "delta", "content", "index", "usage", "prompt_tokens", "completion_tokens", "logprobs",
        "finish_reason", "error", "timings", "predicted_n", "tool_calls", "function", "reasoning", "text", "type",
    ]), inner))))  # fmt: skip
def test_json_of_any_shape_is_a_reply_or_a_bad_reply(value):
    for shape in (value, {"choices": [value]}, {"choices": [{"message": value, "delta": value}], "usage": value}):
        data = json.dumps(shape).encode()
        with contextlib.suppress(BadReply):
            assert read_reply(data, WHERE, None)[0].choices
        reader = StreamReader(WHERE, None)
        with contextlib.suppress(BadReply):
            list(reader.feed(b"data: " + data + b"\n\n"))
            assert reader.finish().index is None


def events(*bodies, end=b"\n\n", done=False) -> bytes:
    return b"".join(b"data: " + json.dumps(one).encode() + end for one in bodies) + (b"data: [DONE]" + end) * done


def piece(text, index=0, finish=None, **more) -> dict:
    return {"choices": [{"index": index, "delta": {"content": text}, "finish_reason": finish}], **more}


OPENAI_STREAM = (
    {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}], "usage": None},
    piece("The ans"),
    piece("wer is 4."),
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": None},
    {"choices": [], "usage": usage(12, 6)},
)


def read(data: bytes, n=1, size=None, dialect=None):
    """The text by choice, the deltas, and the bill, of a stream that comes in pieces of ``size`` bytes."""
    reader = StreamReader(WHERE, dialect, n)
    deltas = []
    size = size or max(1, len(data))
    for start in range(0, len(data), size):
        if not reader.done:
            deltas += reader.feed(data[start : start + size])
    deltas += reader.feed(b"\n\n")  # as the end of the connection does
    texts = {}
    for delta in deltas:
        texts[delta.index] = texts.get(delta.index, "") + delta.text
    return texts, deltas, reader.finish().bill


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\n"], ids=["LF", "CRLF", "no empty line"])
def test_a_stream_reads_the_same_wherever_it_is_split(size, end):
    texts, deltas, bill = read(events(*OPENAI_STREAM, end=end, done=True), size=size)
    assert texts == {0: "The answer is 4."}
    assert bill == Bill(12, 6)
    assert [delta.finish for delta in deltas] == [None, None, None, "stop"]
    assert [delta.tokens for delta in deltas] == [0, 1, 1, 0]


def test_comments_other_fields_and_missing_spaces_are_as_the_standard_says():
    data = b": keep-alive\n\nevent: message\nid: 7\nretry: 3\ndata:" + json.dumps(piece("a", finish="stop")).encode()
    texts, _, _ = read(data + b"\n\n: more\n\ndata:[DONE]\n\n")
    assert texts == {0: "a"}


def test_an_event_of_several_data_lines_is_one():
    lines = json.dumps(piece("ab", finish="stop"), indent=1).encode().splitlines()
    texts, _, _ = read(b"".join(b"data: " + line + b"\r\n" for line in lines) + b"\r\ndata: [DONE]\r\n\r\n", size=5)
    assert texts == {0: "ab"}


def test_nothing_after_done_is_read():
    reader = StreamReader(WHERE, None)
    data = events(piece("a", finish="stop"), done=True) + b"data: {broken\n\n"
    assert [delta.text for delta in reader.feed(data)] == ["a"]
    assert reader.done


def test_a_stream_that_ends_without_done_is_whole_when_every_choice_has_ended():
    texts, _, bill = read(events(*OPENAI_STREAM))
    assert texts == {0: "The answer is 4."}
    assert bill == Bill(12, 6)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"data: [DONE]\n\n",
        b": nothing but comments\n\n",
        events(piece("a")),
        events(piece("a"), done=True),
        events(piece("a", finish="stop"), piece("b", 1)),
        events({"choices": None}),
        b"<html>Bad gateway</html>\n",
    ],
)
def test_a_stream_that_ends_before_its_choices_is_a_bad_reply(data):
    with pytest.raises(BadReply, match="before the end"):
        read(data, n=2)


@pytest.mark.parametrize(
    "data",
    [
        b"data: {broken\n\n",
        b"data: null\n\n",
        b'data: {"choices": [{"index": 0, "delta": {"content": 5}}]}\n\n',
        b'data: {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": "x"}]}}]}\n\n',
        b'data: {"choices": [{"index": 0, "delta": {"tool_calls": [{"function": "f"}]}}]}\n\n',
        b'data: {"error": {"message": "out of memory", "code": 500}}\n\n',
        b'data: {"choices": [{"delta": {"content": "\xff"}}]}\n\n',
        b"data: " + DEEP + b"\n\n",
        b"data: " + b"x" * (9 << 20),
    ],
    ids=lambda data: data[:60].decode("latin-1"),
)
def test_an_event_that_cannot_be_read_is_a_bad_reply(data):
    with pytest.raises(BadReply, match=WHERE):
        read(data, n=2)


@pytest.mark.parametrize("number", [-1, 2, 9])
def test_a_choice_that_was_not_asked_for_is_a_bad_reply(number):
    with pytest.raises(BadReply, match=f"sent choice {number} of the 2 it was asked for"):
        read(events(piece("a", number, finish="stop"), done=True), n=2)


def test_a_choice_that_has_ended_stays_ended():
    data = events(piece("a", finish="stop"), piece("", finish="stop"), piece("more"), done=True)
    _, deltas, _ = read(data)
    assert [(delta.text, delta.finish) for delta in deltas] == [("a", "stop")]


def test_llama_cpps_stream_sends_one_bill_a_choice_and_its_own_count_with_every_piece():
    parts = [
        piece("a b", 0, timings={"predicted_n": 2}),
        piece("c", 1, timings={"predicted_n": 1}),
        piece(None, 0, "stop", timings={"predicted_n": 3}),
        {"choices": [], "usage": usage(20, 3), "timings": {"predicted_n": 3}},
        piece(None, 1, "length", timings={"predicted_n": 2}),
        {"choices": [], "usage": usage(20, 2), "timings": {"predicted_n": 2}},
    ]
    _, deltas, bill = read(events(*parts, done=True), n=2)
    assert [(delta.index, delta.tokens) for delta in deltas] == [(0, 2), (1, 1), (0, 1), (1, 1)]
    assert bill == Bill(20, 5)


def test_a_bill_that_grows_with_every_piece_counts_once():
    parts = [piece("a", usage=usage(9, 1)), piece("b", usage=usage(9, 2)), piece("", finish="stop", usage=usage(9, 3))]
    assert read(events(*parts, done=True))[2] == Bill(9, 3)


def test_an_unknown_finish_is_an_end():
    _, deltas, _ = read(events(piece("a", finish="eos_token"), done=True))
    assert deltas[0].finish == "stop"
    assert read_reply(body(choice(finish_reason="eos_token")), WHERE, None)[0].choices[0].finish == "stop"


def test_pieces_of_tool_calls_without_a_number_are_numbered_by_their_place():
    calls = [{"function": {"name": "f"}}, {"function": {"name": "g"}, "id": "2"}]
    part = {"choices": [{"index": 0, "delta": {"tool_calls": calls}, "finish_reason": "tool_calls"}]}
    _, deltas, _ = read(events(part))
    assert [call["index"] for call in deltas[0].tool_calls] == [0, 1]


@pytest.mark.parametrize(
    ("data", "count"),
    [
        (b'{"input_tokens": 12}', 12),
        (b'{"count": 7, "max_model_len": 100, "tokens": [1, 2]}', 7),
        (b'{"count": -7}', None),
        (b'{"count": 0}', None),
        (b'{"tokens": []}', None),
        (b'{"count": "7"}', None),
        (b'{"count": ' + DEEP, None),
        (b"\xff", None),
        (b"not JSON", None),
    ],
)
def test_a_count_is_a_whole_number_above_zero_or_none(data, count):
    assert read_count(data) == count


def test_a_message_nested_as_deep_as_can_be_read_can_be_put_on_record():
    for depth in range(100, 1500, 50):
        data = b'{"choices": [{"message": {"content": "a", "x": ' + b"[" * depth + b"]" * depth + b"}}]}"
        try:
            reply, _ = read_reply(data, WHERE, None)
        except BadReply:
            continue
        assert msgspec.json.encode(reply)


def test_log_probabilities_of_another_form_than_the_protocols_are_passed_over():
    data = b'{"choices": [{"message": {"content": "a"}, "logprobs": {"content": [{"logprob": "x"}]}}]}'
    (found,) = read_reply(data, WHERE, None)[0].choices
    assert (found.text, found.logprobs, found.tokens) == ("a", None, None)
