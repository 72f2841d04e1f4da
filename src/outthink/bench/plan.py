"""What a bench runs, settled before anything is spent, and kept beside its rows so that it can be gone on with."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import msgspec

from outthink import __version__, plugins
from outthink.bench.results import PLAN, encode, put
from outthink.bench.summary import Data
from outthink.core.errors import InputError
from outthink.core.usage import Budget
from outthink.core.wire import Price
from outthink.strategies.auto import Auto
from outthink.strategies.policies import shipped
from outthink.strategies.spec import Call, parse

REPEATS = 100
"""Orders of replay where nothing else is asked for; live, every question is run once."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a bench, besides data and folder; see `outthink.bench.run.bench`.

    ``repeats`` None: 100 orders of a pool, one live run. ``budget`` is each run's. ``prices`` by the model's name.
    ``unsafe``: run programs even where nothing holds them in. ``concurrency``: live runs at once. ``command`` goes
    into the summary.
    """

    strategies: tuple[str, ...]
    models: tuple[str, ...] = ()
    repeats: int | None = None
    seed: int = 0
    budget: Budget = Budget()
    prices: Mapping[str, Price] = {}
    grader: str | None = None
    unsafe: bool = False
    timeout: float | None = None
    concurrency: int | None = None
    cache: bool = True
    command: str = ""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What makes a bench this one: run again, it must be equal. ``source``: how samples came about, of each model."""

    data: Data
    kind: str
    strategies: tuple[str, ...]
    models: tuple[str, ...]
    repeats: int
    seed: int
    budget: str
    prices: dict[str, Price]
    source: dict[str, Any]
    version: str = __version__

    @property
    def entries(self) -> list[tuple[str, str]]:
        """Every (strategy, model), in the order of rows."""
        return [(strategy, model) for model in self.models for strategy in self.strategies]

    def label(self, strategy: str, model: str) -> str:
        """The name of an entry: its strategy, and the model where there are several."""
        return strategy if len(self.models) == 1 else f"{strategy} @ {model}"


def checked_strategies(texts: Iterable[str]) -> tuple[str, ...]:
    """The strategies as they are printed. Raises `InputError` for none, for one given twice, or one that is not."""
    found: list[str] = []
    for text in texts:
        plugins.strategy(text)
        name = plugins.strategy_text(text)
        if name in found:
            raise InputError(f"the strategy {name} is given twice; give each once")
        found.append(name)
    if not found:
        raise InputError('there is no strategy to bench; give at least one, such as --strategy "self-consistency(n=8)"')
    return tuple(found)


def opened(folder: Path, plan: Plan) -> None:
    """Make the folder, or go on with it. Raises `InputError` where it holds another bench, and says how it differs."""
    path = folder / PLAN
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = path.read_bytes() if path.exists() else None
    except OSError as error:
        raise InputError(f"{folder} cannot be used ({error.strerror}); name a folder that may be written") from error
    if there is None:
        put(path, [encode(plan), b"\n"])
        return
    try:
        old = msgspec.json.decode(there, type=Plan)
    except msgspec.DecodeError as error:
        raise InputError(f"{path} is no plan of a bench ({error}); name another folder") from error
    if old != plan:
        other = next(name for name in plan.__struct_fields__ if getattr(old, name) != getattr(plan, name))
        raise InputError(
            f"{folder} holds another bench: its {other} is {encode(getattr(old, other)).decode()}, not "
            f"{encode(getattr(plan, other)).decode()}; name another folder, or remove this one"
        )


def samples_wanted(strategy: object) -> int:
    """The most samples of one question that a strategy may take, by the ``n`` of it and of those inside it."""
    return max((n for part in _parts(strategy) if isinstance(n := getattr(part, "n", 1), int)), default=1)


def _parts(strategy: object) -> Iterator[object]:
    """A strategy and all that it is made of."""
    if isinstance(strategy, tuple):
        inner = cast("tuple[object, ...]", strategy)
    elif dataclasses.is_dataclass(strategy):
        yield strategy
        inner = tuple(getattr(strategy, field.name) for field in dataclasses.fields(strategy))
    else:
        return
    for part in inner:
        yield from _parts(part)


def own_n(text: str) -> int | None:
    """How many samples a technique takes by its own ``n``; None for one that has none."""
    n = getattr(plugins.strategy(text), "n", None)
    return n if isinstance(n, int) else None


def family(text: str) -> str | None:
    """A technique apart from its ``n``, as text; None for one that has none."""
    if own_n(text) is None:
        return None
    call = parse(plugins.strategy_text(text))
    return str(Call(call.name, call.args, tuple(pair for pair in call.kwargs if pair[0] != "n")))


def check_held_out(strategies: Iterable[str], ids: Iterable[str], models: Iterable[str] = ()) -> None:
    """Raises `InputError` where a policy or verifier that a strategy uses was fitted on one of these questions.

    ``models``: whose shipped policies count where ``auto`` names none.
    """
    asked, names = set(ids), set(models)
    own = [named for named in shipped() if named.policy.fingerprint.model in names]
    for text in strategies:
        files = [value for name, value in plugins.reached_for(text) if name in plugins.FILES]
        used = [(file, fitted_ids(Path(file)), "") for file in files]
        if own and any(isinstance(part, Auto) and part.policy is None for part in _parts(plugins.strategy(text))):
            used += [(name, frozenset(policy.fitted), ", or with auto(policy=off)") for name, policy in own]
        for name, fitted, way_out in used:
            if met := sorted(asked & fitted):
                raise InputError(
                    f"{name} was fitted on {len(met)} of these questions ({met[0]!r} first), so they prove "
                    f"nothing about it; bench it on questions it has not seen{way_out}"
                )


class _Fitted(msgspec.Struct):
    """What tells the questions in either kind of file: a policy's ``fitted``, a verifier's ``ids``."""

    fitted: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()


def fitted_ids(path: Path) -> frozenset[str]:
    """The questions that a policy or a verifier was fitted on. Raises `InputError` where the file is neither."""
    try:
        found = msgspec.json.decode(path.expanduser().read_bytes(), type=_Fitted)
    except OSError as error:
        raise InputError(f"the file {path} cannot be read ({error.strerror}); check the path") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"the file {path} is neither a policy nor a verifier ({error}); make it with outthink calibrate or "
            "outthink verifier train"
        ) from error
    return frozenset([*found.fitted, *found.ids])


def read_prices(path: Path) -> dict[str, Price]:
    """A price table: TOML, a table a model with ``price_in``, ``price_out`` and perhaps ``price_cached``, in US dollars
    per million tokens. Raises `InputError` naming what is wrong."""
    try:
        tables = msgspec.toml.decode(path.expanduser().read_bytes(), type=dict[str, _Listed])
    except OSError as error:
        raise InputError(f"the price table {path} cannot be read ({error.strerror}); check the path") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f'{path}: {error}; write ["MODEL"] and under it price_in = 0.1 and price_out = 0.4, in dollars per million '
            "tokens"
        ) from error
    return {model: Price(given.price_in, given.price_out, given.price_cached) for model, given in tables.items()}


class _Listed(msgspec.Struct, forbid_unknown_fields=True):
    price_in: float
    price_out: float
    price_cached: float | None = None
