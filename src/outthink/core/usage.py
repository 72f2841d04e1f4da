"""What was spent, and what may be. Tokens are counts, times seconds, money US dollars."""

from __future__ import annotations

from typing import Literal

import msgspec

from outthink.core.errors import BadSpec

Role = Literal["policy", "verifier", "tool"]
_MOST = 10**15
ROLES: tuple[Role, ...] = ("policy", "verifier", "tool")


class Usage(msgspec.Struct, frozen=True):
    """What calls cost, failed and cancelled ones included. Adds; the empty one is zero.

    ``calls`` counts attempts that were sent. ``usd`` and ``flops`` are None where a price or a model's
    size is unknown (and stay None in a sum). ``seconds``: in one role, the time its calls were in flight,
    summed; in a whole, wall-clock seconds. ``unsettled_calls``: calls whose cost the server never told;
    the truth lies between what is reported and that plus their holds (``estimated`` is then true).
    """

    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    usd: float | None = 0.0
    seconds: float = 0.0
    flops: float | None = 0.0
    estimated: bool = False
    unsettled_calls: int = 0

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.completion_tokens + other.completion_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            None if self.usd is None or other.usd is None else self.usd + other.usd,
            self.seconds + other.seconds,
            None if self.flops is None or other.flops is None else self.flops + other.flops,
            self.estimated or other.estimated,
            self.unsettled_calls + other.unsettled_calls,
        )

    def to_dict(self) -> dict[str, object]:
        """The fields of the command line's ``usage`` object."""
        return {**msgspec.structs.asdict(self), "total_tokens": self.tokens}


class Cost(msgspec.Struct, frozen=True):
    """The part of a usage that limits are about; what the ledger holds and charges."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.usd + other.usd,
        )

    def __sub__(self, other: Cost) -> Cost:
        return Cost(
            self.calls - other.calls,
            self.prompt_tokens - other.prompt_tokens,
            self.completion_tokens - other.completion_tokens,
            self.usd - other.usd,
        )


class Budget(msgspec.Struct, frozen=True):
    """Hard limits, any subset; None is no limit.

    ``tokens`` (prompt + completion, all roles), ``completion_tokens``, ``usd``, ``seconds``, ``calls``.
    """

    tokens: int | None = None
    completion_tokens: int | None = None
    usd: float | None = None
    seconds: float | None = None
    calls: int | None = None

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read ``tokens=4000,seconds=20``; raises `BadSpec` naming the part that is wrong."""
        values: dict[str, float] = {}
        column = 1
        for part in text.split(","):
            name, sign, value = (piece.strip() for piece in part.partition("="))
            if not sign or name not in cls.__struct_fields__:
                names = ", ".join(cls.__struct_fields__)
                raise BadSpec(
                    f"budget {text!r}: {part.strip()!r} is not a limit; write NAME=NUMBER, with a name "
                    f"among {names} (for example tokens=4000,seconds=20)",
                    text,
                    column,
                )
            if name in values:
                raise BadSpec(f"budget {text!r}: {name} is given twice; keep one", text, column)
            values[name] = _positive(text, name, value, column)
            column += len(part) + 1
        return cls(**values)  # pyright: ignore[reportArgumentType]

    def __str__(self) -> str:
        limits = msgspec.structs.asdict(self).items()
        return ",".join(f"{name}={value!r}" for name, value in limits if value is not None)

    @property
    def bounds_cost(self) -> bool:
        """Whether a call's worst case must be known before it is made."""
        return self.tokens is not None or self.completion_tokens is not None or self.usd is not None

    def allows(self, cost: Cost) -> bool:
        """Whether this cost, all in all, stays inside the limits (time apart)."""
        return (
            (self.tokens is None or cost.prompt_tokens + cost.completion_tokens <= self.tokens)
            and (self.completion_tokens is None or cost.completion_tokens <= self.completion_tokens)
            and (self.usd is None or cost.usd <= self.usd)
            and (self.calls is None or cost.calls <= self.calls)
        )


def _positive(text: str, name: str, value: str, column: int) -> float:
    whole = name in ("tokens", "completion_tokens", "calls")
    try:
        number = int(value.replace("_", "")) if whole else float(value)
    except ValueError:
        number = float("nan")
    if not 0 < number < (_MOST if whole else float("inf")):
        kind = f"a whole number above 0 and under {_MOST:.0e}" if whole else "a number above 0"
        raise BadSpec(f"budget {text!r}: {name} takes {kind}, not {value!r}", text, column)
    return number
