"""What a server's error status means: which error to raise, and what the server turns out to lack."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

import msgspec

from outthink.core.errors import ContextOverflow, Lacks, OutthinkError, Overloaded, Refused, ServerFault
from outthink.core.wire import Feature
from outthink.models.rates import read_rate


class Server(Protocol):
    """What a refusal needs to know of a server, and may change."""

    name: str
    base_url: str
    key_variable: str
    slots: int | None
    lacks: set[Feature]


_OPTIONAL: dict[str, Feature] = {
    "stream_options": "stream_options",
    "top_logprobs": "logprobs",
    "logprobs": "logprobs",
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "seed": "seed",
    "n": "n",
    "reasoning_effort": "thinking",
    "thinking_token_budget": "thinking",
    "chat_template_kwargs": "thinking",
}
_REFUSING = re.compile(r"support|unrecogni|unknown|unexpected|not permitted|extra|only|allowed", re.I)
_REFUSING_N = re.compile(_REFUSING.pattern + "|must be|invalid", re.I)  # of others, these speak of a bad value


def read_refusal(
    status: int, headers: Mapping[str, str], body: bytes, server: Server, sent: Mapping[str, Any]
) -> OutthinkError:
    """The error for a reply with an error status; grows ``server.lacks`` when it names one that was ``sent``."""
    error = error_object(body)
    said = one_line(str(error.get("message") or body.decode("utf-8", "replace")))
    where = f"{server.base_url} answered {status}"
    if status in (400, 413, 422, 501) or (status == 403 and error.get("param") in _OPTIONAL):
        return _bad_request(status, error, said, where, server, sent)
    if status in (429, 503):
        return Overloaded(f"{where}: {said}", status, retry_after(headers))
    if status >= 500 or status in (408, 409):
        return ServerFault(f"{where}: {said}", status)
    return Refused(f"{where}: {said}{_remedy(status, server)}", status, said)


def _bad_request(
    status: int, error: dict[str, Any], said: str, where: str, server: Server, sent: Mapping[str, Any]
) -> OutthinkError:
    kind = f"{error.get('type')} {error.get('code')}"
    if "exceed_context" in kind or "context_length" in kind or "maximum context length" in said:
        return ContextOverflow(f"{where}: {said}; shorten the question or use a model with a longer context")
    limit = re.search(r"'n': .*<= (\d+)", said)
    if limit and 0 < int(limit[1]) < sent.get("n", 1):
        server.slots = int(limit[1])
        return Lacks(f"{where}: {said}", "slots", status)
    for parameter, feature in _OPTIONAL.items():
        named = error.get("param") == parameter or re.search(rf"(?<![\w-]){parameter}(?![\w-])", said)
        quoted = parameter != "n" or error.get("param") == "n" or re.search(r"""['"`]n['"`]|\bn *[=>!]""", said)
        if named and quoted and parameter in sent and (_REFUSING_N if parameter == "n" else _REFUSING).search(said):
            server.lacks.add(feature)
            return Lacks(f"{where}: {said}", feature, status)
    return Refused(f"{where}: {said}", status, said)


def _remedy(status: int, server: Server) -> str:
    if status in (401, 403):
        return f"; put a key this server accepts into {server.key_variable}"
    if status == 404:
        return f"; check the URL and that the server offers {server.name!r} ({server.base_url}/models lists them)"
    if 300 <= status < 400:
        return "; redirects are not followed (a key must not travel): use the final URL"
    return ""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by ``retry-after-ms`` or ``Retry-After`` (seconds, fractions or a date), else until what is used
    up is there again."""
    for name, unit in (("retry-after-ms", 1000.0), ("Retry-After", 1.0)):
        text = headers.get(name)
        if not text:
            continue
        try:
            return max(0.0, float(text) / unit)
        except ValueError:
            pass
        try:
            return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
        except ValueError:
            continue
    rate = read_rate(headers)
    quotas = () if rate is None else (rate.requests, rate.tokens)
    return max((quota.reset for quota in quotas if quota is not None and not quota.left), default=None)


def error_object(body: bytes) -> dict[str, Any]:
    """The envelope of OpenAI, or the forms of Ollama (``error`` is text), FastAPI and others."""
    try:
        envelope = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    error = envelope.get("error", envelope)
    if not isinstance(error, dict):
        return {"message": str(error)}
    inner = msgspec.convert(error, dict[str, Any])
    return inner if "message" in inner else {"message": str(inner.get("detail", inner))}


def one_line(text: str, limit: int = 300) -> str:
    """The text without markup and line breaks, cut to ``limit`` characters."""
    text = " ".join(re.sub(r"<[^>]{0,200}>", " ", text).split())
    return text[:limit] or "(an empty reply)"
