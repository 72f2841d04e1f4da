"""Policies from files, and whether one may be used where it is asked for."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import msgspec

from outthink.adaptive.policy import Policy, from_json
from outthink.core.errors import InputError
from outthink.core.events import Decided, Warned
from outthink.core.problem import Problem, prompt_fingerprint
from outthink.core.protocols import Run


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


def _equal(name: str, one: str, other: str) -> bool:
    """Whether two temperatures are the same number, however they are written."""
    if name != "temperature":
        return False
    try:
        return float(one) == float(other)
    except ValueError:
        return False


def fitting(policy: Policy, file: str, asked: Problem, question: str, temperature: float, run: Run) -> Policy | None:
    """The policy where it was fitted on this model, prompt and temperature, and still fits what it meets; None, with a
    warning, where not.

    ``asked``: the problem as it is prompted; ``question``: the caller's.
    """
    here = {
        "model": run.model,
        "prompt": prompt_fingerprint(asked.messages, question),
        "temperature": f"{float(asked.params.get('temperature', temperature)):g}",
    }
    if run.watch(file).drifted:
        run.emit(
            Warned(message=f"samples no longer agree as the policy {file} predicts; the uncalibrated rules are used")
        )
        return None
    names = [name for name in policy.differs(here) if not _equal(name, policy.fingerprint[name], here[name])]
    if not names:
        return policy
    told = " and ".join(f"{name} {policy.fingerprint[name]}, not {here[name]}" for name in names)
    run.emit(Warned(message=f"the policy {file} was fitted on {told}; the uncalibrated rules are used"))
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
