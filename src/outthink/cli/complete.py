"""What the shell offers for an option that is being typed. Nothing here fails or opens a model."""

from __future__ import annotations

import re
from collections.abc import Sequence

from outthink import plugins
from outthink.core.errors import OutthinkError
from outthink.core.problem import ANSWER_KINDS
from outthink.core.usage import Budget
from outthink.models.catalog import ENTRIES
from outthink.models.config import load_config

_INSIDE = re.compile(r"(.*?([\w.-]+)\((?:[^()]*,)?\s*)[^(),]*$")
"""An expression with an open bracket: what stays, and the name before that bracket."""


def models(incomplete: str) -> list[str]:
    """Aliases of the configuration, catalog names, and the schemes of other backends."""
    try:
        aliases = list(load_config().models)
    except OutthinkError:
        aliases = []
    return _beginning(incomplete, [*aliases, *(entry.name for entry in ENTRIES), "fake", "pool:"])


def strategies(incomplete: str) -> list[str]:
    """Names of strategies; inside their brackets, of their parameters."""
    inside = _INSIDE.match(incomplete)
    if inside is None:
        return _beginning(incomplete, plugins.names())
    return _beginning(incomplete, [f"{inside[1]}{parameter}=" for parameter in plugins.parameters(inside[2])])


def kinds(incomplete: str) -> list[str]:
    """Kinds of answers."""
    return _beginning(incomplete, ANSWER_KINDS)


def budgets(incomplete: str) -> list[str]:
    """Limits of a budget, after those that are there."""
    given, comma, _ = incomplete.rpartition(",")
    return _beginning(incomplete, [f"{given}{comma}{limit}=" for limit in Budget.__struct_fields__])


def _beginning(incomplete: str, known: Sequence[str]) -> list[str]:
    return [name for name in known if name.startswith(incomplete)]
