"""Policies from files, those that come with outthink, and whether one may be used where it is asked for."""

from __future__ import annotations

from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import msgspec

from outthink.adaptive.policy import UNCALIBRATED, Policy, from_json
from outthink.core.errors import InputError
from outthink.core.events import Decided, Warned
from outthink.core.mark import Mark
from outthink.core.problem import Problem, prompt_fingerprint
from outthink.core.protocols import Run


class Named(NamedTuple):
    """A policy and what it is called: by its file, or as one that comes with outthink."""

    name: str
    policy: Policy


@cache
def shipped() -> tuple[Named, ...]:
    """The policies that come with outthink, fitted on models of the catalog (docs/calibrate.md, "What is shipped").

    They say when to stop, and nothing of how sure to be: that differs from one kind of question to the other.
    """
    found: list[Named] = []
    for file in files("outthink.strategies").joinpath("shipped").iterdir():
        policy = msgspec.structs.replace(from_json(file.read_bytes(), file.name), weights=UNCALIBRATED.weights)
        found.append(Named(f"shipped:{file.name.removesuffix('.json')}", policy))
    return tuple(sorted(found))


def read_policy(file: str) -> Policy:
    """The policy in a file. Raises `InputError` for one that is missing, damaged or of a newer version."""
    try:
        found = Path(file).expanduser().stat()
        return _read(file, found.st_mtime_ns, found.st_size)
    except OSError as error:
        raise InputError(
            f"the policy {file} cannot be read ({error.strerror}); check the path, or make one with outthink calibrate"
        ) from error


@lru_cache(16)
def _read(file: str, changed: int, size: int) -> Policy:
    """A file's policy; read again when it has changed."""
    del changed, size
    return from_json(Path(file).expanduser().read_bytes(), f"the policy {file}")


def origin(asked: Problem, question: str, temperature: float, run: Run) -> Mark:
    """Where the samples will come from. ``asked``: the problem as it is prompted; ``question``: the caller's."""
    return Mark(
        model=run.model,
        prompt=prompt_fingerprint(asked.messages, question),
        temperature=asked.params.get("temperature", temperature),
    )


def shipped_for(here: Mark, run: Run) -> Named | None:
    """The shipped policy for samples from here, if there is one; what is found is an event."""
    found = next((named for named in shipped() if named.policy.fingerprint.differs(here) is None), None)
    if found is None:
        told = "no policy was fitted on this model, prompt and temperature; outthink calibrate makes one"
        run.emit(Decided(action="go by the uncalibrated rules", reason=told))
        return None
    told = "it was fitted on this model, prompt and temperature"
    run.emit(Decided(action=f"go by the policy {found.name}", reason=told))
    return found


def fitting(named: Named, here: Mark, run: Run) -> Named | None:
    """The policy where it was fitted on samples from here, and still fits what it meets; None, with a warning, where
    not."""
    if run.watch(named.name).drifted:
        told = f"samples no longer agree as the policy {named.name} predicts"
    elif other := named.policy.fingerprint.differs(here):
        told = f"the policy {named.name} was fitted on {other}"
    else:
        return named
    run.emit(Warned(message=f"{told}; the uncalibrated rules are used"))
    return None


async def giving_up(policy: Policy, asked: Problem, run: Run) -> Policy:
    """The policy for this question: its chains are given up only where that spares more than the prompts that it sends.

    Where they are not, how often samples agree is not known, since that was counted with chains given up.
    """
    found = policy.giving_up
    if found is None:
        return policy
    prompt = await run.prompt_tokens(asked.messages)
    numbers = {"below": found.below, "saves": found.saves, "prompt": float(prompt)}
    told = f"that spares {found.saves:.0f} tokens a sample, and each sends the prompt of {prompt}"
    action = "give up hopeless chains" if found.pays(prompt) else "give up no chain"
    run.emit(Decided(action=action, reason=told, numbers=numbers))
    return policy if found.pays(prompt) else msgspec.structs.replace(policy, giving_up=None, agreement=None)
