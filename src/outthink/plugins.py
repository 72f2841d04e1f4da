"""Names to objects, through entry points; the built-ins are declared the same way (see pyproject.toml).

Groups: ``outthink.strategies`` (a frozen dataclass with ``solve``), ``outthink.verifiers`` (one with ``score``),
``outthink.models`` (an async function that opens a model text) and ``outthink.checks`` (a function that gives more
findings to ``outthink doctor``). A plugin that cannot be imported is an error only when it is asked for.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import cache, lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

from outthink.answers import kind_of
from outthink.core.errors import BadSpec, InputError, UnknownName
from outthink.core.finding import Finding
from outthink.core.names import did_you_mean
from outthink.core.problem import Problem
from outthink.core.protocols import Model, RewardModel, Strategy, Verifier
from outthink.strategies.spec import OFF, Call, Value, parse

FILES, MODELS = ("file", "policy"), ("model", "models", "larger")
"""Parameters that name files and models: others may not, or a gateway's clients could."""
REACHING = (*FILES, *MODELS)
ModelOpener = Callable[..., Awaitable[Model]]
RewardOpener = Callable[..., Awaitable[RewardModel]]
_STRATEGIES, VERIFIERS = "outthink.strategies", "outthink.verifiers"
_GROUPS: dict[Any, str] = {Strategy: _STRATEGIES, Verifier: VERIFIERS}
_NOUNS = {_STRATEGIES: "strategy", VERIFIERS: "verifier"}


@cache
def _entries(group: str) -> dict[str, list[EntryPoint]]:
    found: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=group):
        known = found.setdefault(entry.name, [])
        if entry.value not in [other.value for other in known]:
            known.append(entry)
    return found


def _load(group: str, name: str) -> Any:
    """The object behind a name; raises `InputError` when it cannot be had, or two packages claim the name."""
    entries = _entries(group)[name]
    if len(entries) > 1:
        packages = " and ".join(sorted(entry.dist.name if entry.dist else entry.value for entry in entries))
        raise InputError(f"{name!r} is claimed by {packages}; uninstall one of them")
    try:
        return entries[0].load()
    except (ImportError, AttributeError) as error:
        package = entries[0].dist.name if entries[0].dist else entries[0].value
        raise InputError(
            f"{name!r} of the package {package} cannot be loaded ({error}); reinstall or remove that package"
        ) from error


@lru_cache(256)
def strategy(text: str) -> Strategy:
    """The strategy an expression names. Raises `BadSpec` or `UnknownName`."""
    return cast("Strategy", _build(parse(text), text, _STRATEGIES))


@lru_cache(256)
def verifier(text: str) -> Verifier:
    """The verifier an expression names. Raises `BadSpec` or `UnknownName`."""
    return cast("Verifier", _build(parse(text), text, VERIFIERS))


def find_verifier(name: str | None, problem: Problem) -> Verifier:
    """A verifier by its name; None: the best there is for a problem without more than the problem itself."""
    best = "tests" if problem.tests else "agreement" if kind_of(problem) == "text" else "confidence"
    return verifier(name or best)


@lru_cache(256)
def reached_for(text: str) -> tuple[tuple[str, str], ...]:
    """What an expression names outside itself, each with its parameter: files (``file``, ``policy``) and models
    (``model``, ``models``, ``larger``). Builds nothing and opens nothing. Raises `BadSpec` or `UnknownName`."""
    return tuple(_reached(parse(text), text, _STRATEGIES))


def _reached(call: Call, text: str, group: str) -> Iterator[tuple[str, str]]:
    hints = get_type_hints(_class_of(call, group))
    for name, value in _bound(call, text, group):
        inner = next((_GROUPS[option] for option in _options(hints[name]) if option in _GROUPS), None)
        for one in value if isinstance(value, tuple) else (value,):
            if name in REACHING and one is not None:
                reached = one.name if isinstance(one, Call) else str(one)
                if (name, reached) != ("policy", OFF):
                    yield name, reached
            elif isinstance(one, Call):
                within = inner or next((_GROUPS[o] for o in get_args(hints[name]) if o in _GROUPS), None)
                if within is not None:
                    yield from _reached(one, text, within)


@lru_cache(256)
def strategy_text(text: str) -> str:
    """An expression as written, its arguments in the technique's own order and none added."""
    return str(_ordered(parse(text), _STRATEGIES))


def with_argument(text: str, name: str, word: str) -> str | None:
    """An expression with a word as this argument of its outermost strategy; None where that has no such parameter."""
    call = parse(text)
    if name not in [f.name for f in _fields(_class_of(call, _STRATEGIES))]:
        return None
    given = [(known, old) for known, old in _bound(call, text, _STRATEGIES) if known != name]
    return str(_ordered(Call(call.name, (), (*given, (name, Call(word)))), _STRATEGIES))


def names() -> list[str]:
    """The names of all strategies, without loading any."""
    return sorted(_entries(_STRATEGIES))


def parameters(name: str) -> list[str]:
    """The parameters of a strategy; none for a name that does not exist or cannot be loaded."""
    if name not in _entries(_STRATEGIES):
        return []
    try:
        return [f.name for f in _fields(_load(_STRATEGIES, name))]
    except InputError:
        return []


def model_opener(text: str) -> ModelOpener:
    """What opens a model text: an entry point by form (``NAME@URL``, ``.gguf``), by scheme, or by name."""
    return cast("ModelOpener", _load("outthink.models", model_scheme(text)))


def reward_opener() -> RewardOpener:
    """What opens a reward model text (``NAME@URL``)."""
    return cast("RewardOpener", _load("outthink.rewards", "http"))


def model_scheme(text: str) -> str:
    """The entry point that a model text means."""
    known = _entries("outthink.models")
    scheme = text.partition(":")[0]
    if re.search(r".@[A-Za-z][A-Za-z0-9+.-]*://", text):
        scheme = "http"
    elif text.endswith(".gguf") or scheme not in known:
        scheme = "gguf"
    return scheme


def checks() -> dict[str, Callable[[], Iterable[Finding]]]:
    """What packages add to ``outthink doctor``, by the names of their entry points in ``outthink.checks``."""
    return {name: _load("outthink.checks", name) for name in sorted(_entries("outthink.checks"))}


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A parameter of a strategy; ``default`` is None where it must be given."""

    name: str
    type: str
    default: object
    required: bool


@dataclasses.dataclass(frozen=True)
class StrategyInfo:
    """What ``outthink strategies`` lists of one strategy or verifier."""

    name: str
    summary: str
    parameters: tuple[Parameter, ...]
    needs: tuple[str, ...]
    paper: str


def describe(group: str = _STRATEGIES) -> list[StrategyInfo]:
    """Every registered strategy (or verifier, by ``group``), by name."""
    infos: list[StrategyInfo] = []
    for name in sorted(_entries(group)):
        kind = _load(group, name)
        parameters = tuple(
            Parameter(f.name, str(f.type), _default(f), _default(f) is dataclasses.MISSING) for f in _fields(kind)
        )
        summary = (kind.__doc__ or "").strip().partition("\n")[0]
        infos.append(StrategyInfo(name, summary, parameters, getattr(kind, "needs", ()), getattr(kind, "paper", "")))
    return infos


def _build(call: Call, text: str, group: str) -> object:
    kind = _class_of(call, group)
    fields = _fields(kind)
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for name, value in _bound(call, text, group):
        values[name] = _converted(value, hints[name], f"{call.name}: {name}", text, call.column)
    missing = [f.name for f in fields if f.name not in values and _default(f) is dataclasses.MISSING]
    if missing:
        raise BadSpec(f"{call.name} needs {', '.join(missing)}; it takes {_listing(fields)}", text, call.column)
    return kind(**values)


def _class_of(call: Call, group: str) -> Any:
    known = sorted(_entries(group))
    if call.name not in known:
        meant = did_you_mean(call.name, known)
        raise UnknownName(f"{_NOUNS[group]} {call.name!r} does not exist; {meant}Known: {', '.join(known)}", known)
    return _load(group, call.name)


def _bound(call: Call, text: str, group: str) -> list[tuple[str, Value]]:
    """Arguments by parameter name, in the technique's own order."""
    fields = _fields(_class_of(call, group))
    names = [f.name for f in fields]
    if len(call.args) > len(names):
        raise BadSpec(
            f"{call.name} takes at most {len(names)} arguments ({_listing(fields)}), not {len(call.args)}",
            text,
            call.column,
        )
    values = dict(zip(names, call.args, strict=False))
    for name, value in call.kwargs:
        if name not in names:
            meant = did_you_mean(name, names)
            raise UnknownName(
                f"{call.name} has no parameter {name!r}; {meant}It takes {_listing(fields) or 'none'}", names
            )
        if name in values:
            raise BadSpec(f"{call.name}: {name} is given twice", text, call.column)
        values[name] = value
    return [(name, values[name]) for name in names if name in values]


def _ordered(call: Call, group: str) -> Call:
    hints = get_type_hints(_class_of(call, group))
    args: list[Value] = []
    kwargs: list[tuple[str, Value]] = []
    for place, (name, value) in enumerate(_bound(call, "", group)):
        inner = next((_GROUPS[option] for option in _options(hints[name]) if option in _GROUPS), None)
        if isinstance(value, Call) and inner is not None:
            value = _ordered(value, inner)
            if inner == _STRATEGIES and place == len(args) and (name == "strategy" or place < len(call.args)):
                args.append(value)
                continue
        kwargs.append((name, value))
    return Call(call.name, tuple(args), tuple(kwargs), call.column)


def _converted(value: Value, wanted: Any, where: str, text: str, column: int) -> Any:
    """A value as its parameter's type; raises `BadSpec` naming both."""
    for option in (choices := _options(wanted)):
        if option in (type(None), None) and value is None:
            return None
        if option in _GROUPS and isinstance(value, Call):
            return _build(value, text, _GROUPS[option])
        if option is str and (isinstance(value, str) or (isinstance(value, Call) and not value.args)):
            return value if isinstance(value, str) else value.name
        if option is float and isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
        if option in (int, bool) and type(value) is option:
            return value
        if isinstance(option, str) and (value.name if isinstance(value, Call) else value) == option:
            return option  # one of the texts of a Literal
        if get_origin(option) is tuple and isinstance(value, tuple):
            return tuple(_converted(item, get_args(option)[0], where, text, column) for item in value)
    named = (_NOUNS.get(_GROUPS.get(option, "")) or getattr(option, "__name__", str(option)) for option in choices)
    names = " or ".join(name for name in named if name != "NoneType")
    raise BadSpec(f"{where} takes {names}, not {value if isinstance(value, Call) else repr(value)}", text, column)


def _options(wanted: Any) -> tuple[Any, ...]:
    """The types (or texts) that a parameter may take."""
    if get_origin(wanted) in (None, tuple):
        return (wanted,)
    parts = ((part,) if get_origin(part) is not Literal else get_args(part) for part in get_args(wanted))
    return tuple(option for part in parts for option in part)


def _fields(kind: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(kind)


def _default(field: dataclasses.Field[Any]) -> object:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _listing(fields: tuple[dataclasses.Field[Any], ...]) -> str:
    return ", ".join(f.name if _default(f) is dataclasses.MISSING else f"{f.name}={_default(f)}" for f in fields)
