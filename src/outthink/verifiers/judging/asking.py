"""Asking the judge: every prompt through the run, and whatever fails costs a score, never an answer."""

from __future__ import annotations

from collections.abc import Sequence

import anyio

from outthink.answers.verdict import asking
from outthink.core.candidate import Candidate
from outthink.core.errors import ContextOverflow, OutthinkError
from outthink.core.events import Warned
from outthink.core.protocols import Run


class Asking:
    """One sitting of a judge: through this run, with this model (None: the run's own)."""

    def __init__(self, run: Run, model: str | None = None) -> None:
        self._run, self._model = run, model
        self._works = False

    async def all(
        self, prompts: Sequence[str], tokens: int, top: int, stop: tuple[str, ...] = ()
    ) -> list[Candidate | None]:
        """A reply of at most so many new tokens to each prompt, with the ``top`` likeliest at each place; None for what
        failed.

        The first of a sitting goes alone: a server that caches prefixes has then read what all share, and a judge that
        does not work at all has cost one call.
        """
        replies: list[Candidate | None] = [None] * len(prompts)
        failures: list[OutthinkError] = []

        async def ask(place: int) -> None:
            try:
                replies[place] = await self._run.sample(*asking(prompts[place], tokens, top, stop), model=self._model)
                self._works = True
            except OutthinkError as error:
                failures.append(error)

        rest = range(len(prompts))
        if prompts and not self._works:
            await ask(0)
            rest = rest[1:]
        if not failures or isinstance(failures[0], ContextOverflow):  # a shorter candidate may fit
            async with anyio.create_task_group() as group:
                for place in rest:
                    group.start_soon(ask, place)
        if failures:
            lost = f"on {replies.count(None)} of {len(prompts)} questions" if len(prompts) > 1 else "on a question"
            self.warn(f"the judge could not tell {lost}: {failures[0]}")
        return replies

    def warn(self, message: str) -> None:
        self._run.emit(Warned(message=message))
