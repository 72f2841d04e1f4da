"""The file of a fitted verifier: plain JSON with what it computes, what it was fitted on, and what it was found worth.

``mark`` says which model, prompt and temperature the samples came from; used on others, a verifier warns and gives no
probability. ``ids`` are the questions it was fitted on, which are refused as test questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import msgspec

from outthink.adaptive.posterior import Weights
from outthink.core.candidate import Candidate
from outthink.core.errors import InputError
from outthink.core.mark import Mark
from outthink.verifiers.heads import Isotonic, Linear, Platt, Trees

FORMAT, VERSION = "outthink-verifier", 1
Kind = Literal["calibrated", "stack", "probe"]


class Fitted(msgspec.Struct, frozen=True, kw_only=True):
    """What a file holds. ``columns``: the names of the scores (or features) it is computed from, ``fill`` what stands
    for one that is missing. ``curve`` None: it showed no value on its pool, and abstains. ``weights``: the answer
    posterior's, with the verifier's log odds as their column. ``report``: how it was fitted, what it showed there."""

    kind: Kind
    columns: tuple[str, ...]
    fill: tuple[float, ...] = ()
    head: Linear | Trees | None = None
    curve: Isotonic | Platt | None = None
    mark: Mark = Mark()
    ids: tuple[str, ...] = ()
    base_rate: float = 0.5
    weights: Weights | None = None
    report: dict[str, Any] = {}
    format: str = FORMAT
    version: int = VERSION

    def flaw(self) -> str | None:
        """What makes the file unusable, None where nothing does."""
        curve = None if self.curve is None else self.curve.flaw()
        head = None if self.head is None else self.head.flaw(len(self.columns))
        if self.head is None and len(self.columns) != 1:
            head = f"{len(self.columns)} columns without a head"
        if self.fill and len(self.fill) != len(self.columns):
            head = f"{len(self.fill)} fillings for {len(self.columns)} columns"
        return curve or head

    def raw(self, columns: Sequence[float]) -> float:
        """The raw measure of one row: the head's log odds, or the one column itself."""
        return columns[0] if self.head is None else self.head.log_odds(columns)

    def differs(self, *, prompt: str | None = None, temperature: float | None = None) -> str | None:
        """What was different when it was fitted, in words; None where nothing known was."""
        return self.mark.differs(Mark(prompt=prompt, temperature=temperature))

    def elsewhere(self, candidates: Sequence[Candidate]) -> str | None:
        """What is different about these candidates' model, in words."""
        models = {found.model for found in candidates} - {""}
        return next((told for model in sorted(models) if (told := self.mark.differs(Mark(model=model)))), None)


class _Head(msgspec.Struct):
    format: str = ""
    version: int = 0


def read_fitted(file: str, kind: Kind) -> Fitted:
    """The fitted verifier in a file. Raises `InputError` naming the file and the remedy."""
    try:
        found = Path(file).expanduser().stat()
        fitted = _read(file, found.st_mtime_ns, found.st_size)
    except OSError as error:
        raise InputError(f"the verifier file {file} cannot be read ({error.strerror}); check the path") from error
    if fitted.kind != kind:
        raise InputError(f"the verifier file {file} is of the kind {fitted.kind}; use {fitted.kind}(file={file!r}, …)")
    return fitted


@lru_cache(16)
def _read(file: str, changed: int, size: int) -> Fitted:
    """A file's contents; read again when it has changed."""
    del changed, size
    data = Path(file).expanduser().read_bytes()
    again = "make it again with: outthink verifier train POOL… -o FILE"
    try:
        head = msgspec.json.decode(data, type=_Head)
        if head.format != FORMAT:
            raise InputError(f"{file} is not a verifier file; {again}")
        if head.version > VERSION:
            raise InputError(
                f"the verifier file {file} is of version {head.version}, and this outthink reads {VERSION}; "
                "update outthink, or train it again"
            )
        fitted = msgspec.json.decode(data, type=Fitted)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"the verifier file {file} is damaged ({error}); {again}") from error
    if flaw := fitted.flaw():
        raise InputError(f"the verifier file {file} is damaged ({flaw}); {again}")
    return fitted


def to_json(fitted: Fitted) -> bytes:
    """The file of a fitted verifier, as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(fitted), indent=1) + b"\n"
