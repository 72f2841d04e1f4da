"""The configuration file: defaults, and aliases for endpoints that need more than a URL.

``config.toml`` lies where the platform's conventions say (``OUTTHINK_HOME`` moves it)::

    model = "fast"                      # what --model, --strategy and --budget are when they are not given
    budget = "tokens=4000"

    [models.fast]
    endpoint = "https://llm.example/v1"
    name = "qwen3-32b"                  # its name at that server
    key_env = "EXAMPLE_KEY"             # the variable that holds the key; the file holds none
    price_in = 0.2                      # US dollars per million tokens
    price_cached = 0.05
    price_out = 0.6
    context = 32768
    rpm = 60                            # requests and tokens a minute that are not passed
    tpm = 100000
    parameters = 32e9                   # weights, for FLOPs
    headers = { "X-Team" = "search" }
    refuses = ["seed", "logprobs"]      # parameters it is known not to take
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import msgspec

from outthink.core.errors import InputError
from outthink.core.wire import Feature, Price
from outthink.models.paths import config_file

_HEADER = re.compile(r"[A-Za-z0-9-]+")


class Alias(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One ``[models.ALIAS]``; see the module. ``name`` empty: the alias itself."""

    endpoint: str
    name: str = ""
    key_env: str = ""
    price_in: float | None = None
    price_cached: float | None = None
    price_out: float | None = None
    context: int | None = None
    rpm: float | None = None
    tpm: float | None = None
    parameters: float | None = None
    headers: dict[str, str] = {}
    refuses: tuple[str, ...] = ()

    def price(self) -> Price | None:
        if self.price_in is None or self.price_out is None:
            return None
        return Price(self.price_in, self.price_out, self.price_cached)

    @property
    def paced(self) -> bool:
        return self.rpm is not None or self.tpm is not None

    def lacks(self) -> set[Feature]:
        """The features among ``refuses``."""
        return {feature for feature in get_args(Feature) if feature in self.refuses}


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file; every field may be absent."""

    model: str | None = None
    strategy: str | None = None
    budget: str | None = None
    models: dict[str, Alias] = {}


def load_config(path: Path | None = None) -> Config:
    """The configuration file, empty where there is none. Raises `InputError` naming file and fault."""
    path = path or config_file()
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return Config()
    except OSError as error:
        raise InputError(
            f"the configuration {path} cannot be read ({error.strerror}); check its permissions"
        ) from error
    try:
        found = msgspec.toml.decode(text, type=Config)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"the configuration {path}: {error}; see outthink doctor for its form") from error
    for name, alias in found.models.items():
        _check(path, name, alias)
    return found


def _check(path: Path, name: str, alias: Alias) -> None:
    def refuse(what: str) -> InputError:
        return InputError(f"the configuration {path}, [models.{name}]: {what}")

    if not alias.endpoint.startswith(("http://", "https://")):
        raise refuse(f"endpoint = {alias.endpoint!r} is not a URL; write http://host:port/v1")
    if (alias.price_in is None) != (alias.price_out is None):
        raise refuse("price_in and price_out go together; add the missing one")
    numbers: dict[str, Any] = {n: getattr(alias, n) for n in ("price_in", "price_cached", "price_out")}
    if any(value is not None and value < 0 for value in numbers.values()):
        raise refuse("prices are 0 or more, in US dollars per million tokens")
    if any(value is not None and value <= 0 for value in (alias.rpm, alias.tpm, alias.context, alias.parameters)):
        raise refuse("rpm, tpm, context and parameters are above 0")
    if alias.rpm is not None and alias.rpm < 1:
        raise refuse("rpm is 1 or more")
    if any(not _HEADER.fullmatch(name) or not value.isprintable() for name, value in alias.headers.items()):
        raise refuse("headers are names of letters, digits and hyphens, with texts on one line")


def price_remedy(config: Config, text: str) -> str:
    """What to write into the configuration so that the model of this text has a price."""
    prices = "price_in = DOLLARS and price_out = DOLLARS (a million tokens)"
    if text in config.models:
        return f"add {prices} to [models.{_toml_key(text)}] in {config_file()}"
    name, _, url = text.partition("@")
    if not url:
        return "limit tokens instead (for example tokens=4000)"
    return f'add [models.{_toml_key(name)}], endpoint = "{url}", {prices} to {config_file()}, and name the model {name}'


def _toml_key(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name, re.ASCII) else f'"{name}"'
