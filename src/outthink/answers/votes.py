"""The tally of a vote: candidates grouped by equivalent answers, whatever order they arrive in."""

from __future__ import annotations

from outthink.core.candidate import Candidate


class Votes:
    """Grows by `add`. A candidate without an answer is seen but does not vote; one that was cut is not seen."""

    def __init__(self) -> None:
        self.seen = 0
        self._classes: dict[str, list[Candidate]] = {}

    def add(self, candidate: Candidate) -> None:
        if candidate.answer is None:
            self.seen += candidate.finish not in ("cancelled", "error")
            return
        self.seen += 1
        self._classes.setdefault(candidate.answer.key, []).append(candidate)

    def counts(self) -> dict[str, int]:
        """Votes by answer, the leader first."""
        ranked = self._ranked()
        return {_first(found).answer.text: len(found) for found in ranked}  # pyright: ignore[reportOptionalMemberAccess]

    def classes(self) -> list[list[Candidate]]:
        """The candidates that answered, grouped by equivalent answers, the largest group first."""
        return self._ranked()

    def leader(self) -> Candidate | None:
        """The winning class's first candidate by index.

        A tie goes to the class with the surest candidate where every tied class has one whose confidence is known,
        else to the class seen first by index.
        """
        ranked = self._ranked()
        return _first(ranked[0]) if ranked else None

    def share(self) -> float | None:
        """The leader's part of all that was seen."""
        ranked = self._ranked()
        return len(ranked[0]) / self.seen if ranked else None

    def decided(self, n: int) -> bool:
        """Whether the leader can no longer be caught, or tied, by the candidates still to come of ``n``."""
        sizes = sorted((len(found) for found in self._classes.values()), reverse=True)
        if not sizes:
            return False
        return sizes[0] - (sizes[1] if len(sizes) > 1 else 0) > n - self.seen

    def _ranked(self) -> list[list[Candidate]]:
        classes = list(self._classes.values())
        most = max(map(len, classes), default=0)
        tied = [found for found in classes if len(found) == most]
        sure = {id(found): _confidence(found) for found in tied} if len(tied) > 1 else {}
        weigh = None not in sure.values()

        def place(found: list[Candidate]) -> tuple[int, float, int]:
            return -len(found), -(sure.get(id(found)) or 0.0) if weigh else 0.0, _first(found).index

        return sorted(classes, key=place)


def _first(found: list[Candidate]) -> Candidate:
    return min(found, key=lambda candidate: candidate.index)


def _confidence(found: list[Candidate]) -> float | None:
    """The mean token log probability of the class's surest candidate, None where none is known."""
    return max((candidate.logprobs.mean for candidate in found if candidate.logprobs is not None), default=None)
