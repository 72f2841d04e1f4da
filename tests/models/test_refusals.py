"""What an error status means, in the forms that servers give it."""

import json
from email.utils import formatdate
from types import SimpleNamespace

import pytest

from outthink.core.errors import ContextOverflow, Lacks, Overloaded, Refused, ServerFault
from outthink.models.refusals import one_line, read_refusal, retry_after


def server(**more):
    known = {"name": "m", "base_url": "http://host/v1", "key_variable": "OUTTHINK_API_KEY", "slots": None}
    return SimpleNamespace(**(known | {"lacks": set()} | more))


def openai_error(message, kind="invalid_request_error", **more) -> bytes:
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": None} | more}).encode()


SENT = {"n": 8, "seed": 1, "logprobs": True, "top_logprobs": 1, "max_tokens": 9, "stream_options": {}, "temperature": 1}


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (400, Refused, False),
        (401, Refused, False),
        (403, Refused, False),
        (404, Refused, False),
        (422, Refused, False),
        (302, Refused, False),
        (408, ServerFault, True),
        (409, ServerFault, True),
        (429, Overloaded, True),
        (500, ServerFault, True),
        (502, ServerFault, True),
        (503, Overloaded, True),
        (529, ServerFault, True),
    ],
)
def test_a_status_says_whether_asking_again_may_help(status, kind, retryable):
    error = read_refusal(status, {}, openai_error("no"), server(), SENT)
    assert type(error) is kind
    assert error.retryable == retryable
    assert error.status == status
    assert str(error).startswith(f"http://host/v1 answered {status}: no")


@pytest.mark.parametrize("variable", ["OUTTHINK_API_KEY", "OPENAI_API_KEY"])
@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_names_the_variable_that_holds_it(status, variable):
    error = read_refusal(status, {}, openai_error("bad key"), server(key_variable=variable), {})
    assert variable in str(error)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (openai_error("Not found."), "Not found."),
        (b'{"error": "model \'x\' not found"}', "model 'x' not found"),  # Ollama
        (b'{"detail": "Not Found"}', "Not Found"),  # FastAPI
        (b'{"detail": [{"loc": ["body"], "msg": "missing"}]}', "missing"),
        (b'{"object": "error", "message": "no such model", "code": 404}', "no such model"),  # vLLM
        (b'{"error": {"message": null}}', "message"),
        (b'{"error": {"message": 5}}', "5"),
        (b'{"error": []}', "[]"),
        (b"<html>\n<h1>404</h1>\n</html>", "404"),
        (b"", "(an empty reply)"),
        (b"\xff\xfe", "\ufffd"),
        (b"[" * 100_000, "[[["),
        (b'{"x": ' + b"[" * 100_000, "[[["),
    ],
)
def test_what_was_said_is_found_in_any_form_and_told_in_one_short_line(body, said):
    error = read_refusal(404, {}, body, server(), {})
    assert said in str(error)
    assert "\n" not in str(error)
    assert len(str(error)) < 500


@pytest.mark.parametrize(
    ("message", "param", "feature"),
    [
        ("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
         "max_tokens", "max_tokens"),
        ("Unsupported value: 'temperature' does not support 0.7 with this model. Only the default (1) value is "
         "supported.", "temperature", "temperature"),
        ("`n` must be 1", None, "n"),
        ("'n' : number must be at most 1", None, "n"),
        ("n > 1 is not supported", None, "n"),
        ("logprobs is not supported", None, "logprobs"),
        ("top_logprobs: Extra inputs are not permitted", None, "logprobs"),
        ("Unrecognized request argument supplied: seed", None, "seed"),
        ("unknown field stream_options", None, "stream_options"),
    ],
)  # fmt: skip
def test_a_refusal_that_names_a_parameter_that_was_sent_is_remembered(message, param, feature):
    asked = server()
    error = read_refusal(400, {}, openai_error(message, param=param), asked, SENT)
    assert isinstance(error, Lacks)
    assert error.feature == feature
    assert asked.lacks == {feature}


@pytest.mark.parametrize("name", SENT)
def test_a_refusal_of_what_was_not_sent_is_final_so_that_no_server_can_keep_a_run_going(name):
    asked = server()
    sent = {key: value for key, value in SENT.items() if key not in (name, f"top_{name}", name.removeprefix("top_"))}
    error = read_refusal(400, {}, openai_error(f"'{name}' is not supported", param=name), asked, sent)
    assert isinstance(error, Refused)
    assert asked.lacks == set()


def test_a_limit_on_n_is_kept_only_when_it_makes_n_smaller():
    text = "Field 'n': Value must be between 1 <= value <= {}, but got {}"
    asked = server()
    error = read_refusal(400, {}, openai_error(text.format(4, 8)), asked, {"n": 8})
    assert isinstance(error, Lacks)
    assert asked.slots == 4
    for limit, sent in ((8, {"n": 8}), (0, {"n": 8}), (4, {})):
        asked = server()
        error = read_refusal(400, {}, openai_error(text.format(limit, 8)), asked, sent)
        assert asked.slots is None
        assert not isinstance(error, Lacks) or error.feature == "n"


@pytest.mark.parametrize(
    "body",
    [
        openai_error("too long", code="context_length_exceeded"),
        openai_error("This model's maximum context length is 4096 tokens. However, you requested 5000 tokens"),
        openai_error("request (5000 tokens) exceeds the available context size", "exceed_context_size_error"),
    ],
)
def test_a_prompt_longer_than_the_context_is_the_inputs_fault(body):
    error = read_refusal(400, {}, body, server(), SENT)
    assert isinstance(error, ContextOverflow)
    assert "shorten" in str(error)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "2"}, 2.0),
        ({"Retry-After": "0.25"}, 0.25),
        ({"Retry-After": "-3"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "nan"}, 0.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"Retry-After": "Wed, 99 Oct 2015 07:28:00 GMT"}, None),
        ({"retry-after-ms": "1500", "Retry-After": "2"}, 1.5),
        ({"retry-after-ms": "x", "Retry-After": "2"}, 2.0),
    ],
)
def test_the_wait_a_server_asks_for_is_read_in_every_form(headers, seconds):
    assert retry_after(headers) == seconds


def test_a_date_to_retry_after_is_counted_from_now(monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1_000_000_000.0)
    assert retry_after({"Retry-After": formatdate(1_000_000_007, usegmt=True)}) == 7.0


def test_a_long_text_is_cut_and_markup_left_out():
    assert one_line("<p>a\n b</p>" + "x" * 999) == ("a b " + "x" * 999)[:300]
