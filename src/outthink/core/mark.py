"""Where samples came from: what is fitted on them holds for the same origin, and for no other."""

from __future__ import annotations

import msgspec


class Mark(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The origin of samples; what is empty or None is not known, and not compared. ``prompt`` as by
    `outthink.core.problem.prompt_fingerprint`."""

    model: str = ""
    prompt: str | None = None
    temperature: float | None = None

    def differs(self, other: Mark) -> str | None:
        """What is not the same there as here, in words; None where all that both know is."""
        pairs = ((name, getattr(self, name), getattr(other, name, None)) for name in self.__struct_fields__)
        told = [f"{name} {was}, not {now}" for name, was, now in pairs if was != now and not {was, now} & {None, ""}]
        return " and ".join(told) or None
