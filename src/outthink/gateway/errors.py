"""What a client is told when there is no answer: the OpenAI envelope with the true status."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from outthink.core.errors import (
    BudgetExhausted,
    BudgetTooSmall,
    ContextOverflow,
    InputError,
    ModelFileError,
    OutthinkError,
    Overloaded,
    ServerError,
    TimedOut,
    Unsupported,
)
from outthink.core.usage import Usage

_KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class Rejected(InputError):
    """A request the gateway itself turns down. ``param`` names the field, ``code`` is for programs."""

    def __init__(self, message: str, *, status: int = 400, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.param, self.code = status, param, code


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """An error as a client sees it."""

    status: int
    message: str
    kind: str
    param: str | None = None
    code: str | None = None
    headers: dict[str, str] = {}

    def body(self) -> dict[str, Any]:
        """The envelope that OpenAI's clients read."""
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}


def failure(error: OutthinkError, spent: Usage = Usage()) -> Failure:
    """An error as an answer. Once tokens were paid for, the client's own retries are told off."""
    status, code = _status_and_code(error)
    kind = _KINDS.get(status, "server_error" if status >= 500 else "invalid_request_error")
    headers: dict[str, str] = {}
    if isinstance(error, BudgetExhausted):
        kind = "budget_exhausted"
    if isinstance(error, BudgetExhausted) or spent.tokens:
        headers["x-should-retry"] = "false"
    if spent.tokens:
        headers["x-litellm-total-tokens"] = str(spent.tokens)
    if isinstance(error, ServerError) and error.retry_after is not None:
        headers["retry-after"] = str(math.ceil(error.retry_after))
        headers["retry-after-ms"] = str(round(error.retry_after * 1000))
    param = error.param if isinstance(error, Rejected) else None
    return Failure(status=status, message=str(error), kind=kind, param=param, code=code, headers=headers)


def _status_and_code(error: OutthinkError) -> tuple[int, str | None]:
    match error:
        case Rejected():
            return error.status, error.code
        case BudgetExhausted():
            return 429, error.reason
        case ContextOverflow():
            return 400, "context_length_exceeded"
        case BudgetTooSmall():
            return 400, "budget_too_small"
        case Unsupported():
            return 400, "unsupported_parameter"
        case ModelFileError():
            return 503, "model_unavailable"
        case Overloaded():
            return error.status or 503, "upstream_overloaded"
        case TimedOut():
            return 504, "upstream_timed_out"
        case ServerError():  # the upstream's own status where it is an error's, else this gateway's word for it
            known = error.status is not None and error.status >= 400
            return (error.status or 502) if known else 502, "upstream_error"
        case _:
            return (400 if isinstance(error, InputError) else 500), None
