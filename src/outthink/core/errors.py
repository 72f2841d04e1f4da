"""Every error Outthink raises on purpose, as one tree.

    OutthinkError
    ├── InputError                what was asked cannot be done; fix the input or this machine
    │   ├── BadProblem            empty question, unreadable messages
    │   ├── BadSpec               a strategy or budget text that does not parse (``column``)
    │   ├── UnknownName           a model, strategy or parameter that does not exist (``known``)
    │   ├── Unsupported           a parameter that this technique or server cannot honour
    │   ├── ContextOverflow       the prompt is longer than the model's context
    │   ├── BudgetTooSmall        not one call fits; ``smallest`` would
    │   ├── SandboxError          this machine cannot hold untrusted code, or no longer does
    │   └── ModelFileError        missing, truncated, damaged or not a model
    │       └── DownloadError     no source gave the file
    ├── BudgetExhausted           the budget ended before there was anything to return
    └── ServerError               what a server said, or failed to say
        ├── Unreachable           no connection; nothing was sent
        ├── Refused               a status that will not change by asking again (``status``)
        ├── Lacks                 the server has no such parameter (``feature``): ask without it
        ├── Overloaded            429 or 503: ask later (``retry_after`` seconds)
        ├── ServerFault           another 5xx
        ├── TimedOut              nothing came in time
        └── BadReply              a reply that cannot be read, or was cut

Every message says what happened and what to do. HTTP and exit statuses are decided at the edge
(`outthink.cli`), not here.
"""

from __future__ import annotations

from collections.abc import Sequence


class OutthinkError(Exception):
    """Base of everything Outthink raises on purpose."""


class InputError(OutthinkError):
    """What was asked cannot be done as it stands."""


class BadProblem(InputError):
    """The question is empty or its messages are not a conversation."""


class BadSpec(InputError):
    """A text that does not parse. ``column`` counts from 1 in ``text``."""

    def __init__(self, message: str, text: str = "", column: int = 0) -> None:
        super().__init__(message)
        self.text, self.column = text, column


class UnknownName(InputError):
    """A name that does not exist; ``known`` lists those that do."""

    def __init__(self, message: str, known: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.known = tuple(known)


class Unsupported(InputError):
    """A parameter the chosen technique or server cannot honour, told before spending."""


class ContextOverflow(InputError):
    """The prompt is longer than the model's context."""


class BudgetTooSmall(InputError):
    """Not one call fits the budget; ``smallest`` is the value of the limit that would."""

    def __init__(self, message: str, smallest: float = 0) -> None:
        super().__init__(message)
        self.smallest = smallest


class SandboxError(InputError):
    """This machine cannot hold untrusted code, or its sandbox has failed."""


class ModelFileError(InputError):
    """A model file that is missing, truncated, damaged or not a model."""


class DownloadError(ModelFileError):
    """No source gave the file."""


class BudgetExhausted(OutthinkError):
    """The budget ended before there was anything to return. ``reason``: ``budget`` or ``deadline``."""

    def __init__(self, message: str, reason: str = "budget") -> None:
        super().__init__(message)
        self.reason = reason


class ServerError(OutthinkError):
    """What a server said, or failed to say.

    ``retryable``: asking again may help. ``sent``: the request left this machine, so it may have cost.
    ``began``: headers with status 200 had arrived.
    """

    retryable = True
    sent = True
    status: int | None = None
    retry_after: float | None = None
    began = False


class Unreachable(ServerError):
    """No connection could be made; nothing was sent."""

    sent = False


class Refused(ServerError):
    """A status that will not change by asking again. ``body`` is what the server said."""

    retryable = False

    def __init__(self, message: str, status: int, body: str = "") -> None:
        super().__init__(message)
        self.status, self.body = status, body


class Lacks(ServerError):
    """The server refused a parameter by name; the engine asks again without ``feature``."""

    def __init__(self, message: str, feature: str, status: int = 400) -> None:
        super().__init__(message)
        self.feature, self.status = feature, status


class Overloaded(ServerError):
    """429 or 503. ``retry_after``: seconds the server asked for, if it did."""

    def __init__(self, message: str, status: int, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status, self.retry_after = status, retry_after


class ServerFault(ServerError):
    """A 5xx other than 503."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class TimedOut(ServerError):
    """Nothing came within the time limit."""

    def __init__(self, message: str, began: bool = False) -> None:
        super().__init__(message)
        self.began = began


class BadReply(ServerError):
    """A reply that cannot be read, or was cut after it began."""

    began = True
