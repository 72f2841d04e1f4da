"""Data sets of the Hugging Face hub by name, over the public rows service of its data set viewer.

Protocol: https://huggingface.co/docs/dataset-viewer/rows (pages of at most 100 rows). Nothing is installed or run;
no key is sent, so only public data sets can be read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import parse_qsl, urlencode
from urllib.request import urlopen

import msgspec

from outthink.core.errors import InputError

HUB = "hub:"
"""What the name of a hub data set starts with."""

_SERVICE = "https://datasets-server.huggingface.co"
_PAGE = 100
_SECONDS = 30
_QUESTION, _ANSWER = ("question", "problem", "prompt", "input"), ("answer", "target", "output", "solution")


class _Line(msgspec.Struct):
    row: dict[str, Any]
    truncated_cells: list[str] = []


class _Page(msgspec.Struct):
    rows: list[_Line]
    num_rows_total: int


def hub_fields(source: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Numbered fields of ``hub:OWNER/NAME?config=…&split=…&rows=…&question=COLUMN&answer=COLUMN``.

    Config is ``default``, split ``test``, and all rows are read, unless said otherwise. What stands before ``####``
    in an answer is a rationale and left out. ``OUTTHINK_DATASETS`` names another rows service. Raises `InputError`
    when it cannot be reached or has no such data set.
    """
    name, _, options = source.removeprefix(HUB).partition("?")
    chosen = dict(parse_qsl(options))
    unknown = set(chosen) - {"config", "split", "rows", "question", "answer"}
    if not name or unknown or not chosen.get("rows", "1").isdecimal():
        raise InputError(f"{source} is not understood; write hub:OWNER/NAME?config=main&split=test&rows=200")
    most = int(chosen.get("rows", 10**9))
    start = 0
    while start < most:
        page = _page(source, name, chosen, start, min(_PAGE, most - start))
        for number, line in enumerate(page.rows, start=start + 1):
            if line.truncated_cells:
                raise InputError(f"{source} row {number} is too long for the hub's service; get the data as a file")
            yield number, _renamed(line.row, chosen, source)
        start += len(page.rows)
        if not page.rows or start >= page.num_rows_total:
            return


def _page(source: str, name: str, chosen: dict[str, str], start: int, length: int) -> _Page:
    query = {
        "dataset": name,
        "config": chosen.get("config", "default"),
        "split": chosen.get("split", "test"),
        "offset": start,
        "length": length,
    }
    url = f"{os.environ.get('OUTTHINK_DATASETS') or _SERVICE}/rows?{urlencode(query)}"
    remedy = "check the name, config and split, or save the rows as JSON lines and give that file's path"
    try:
        with urlopen(url, timeout=_SECONDS) as reply:
            return msgspec.json.decode(reply.read(), type=_Page)
    except HTTPError as error:
        error.close()
        raise InputError(f"{source}: the hub answered {error.code}; {remedy}") from error
    except (URLError, OSError) as error:
        cause = getattr(error, "reason", error)
        raise InputError(f"{source}: the hub cannot be reached ({cause}); {remedy}") from error
    except (ValueError, HTTPException) as error:
        raise InputError(f"{source}: the hub's reply cannot be read; {remedy}") from error


def _renamed(fields: dict[str, Any], chosen: dict[str, str], source: str) -> dict[str, Any]:
    """The row with its columns under our names."""
    question = chosen.get("question") or next((name for name in _QUESTION if name in fields), "question")
    answer = chosen.get("answer") or next((name for name in _ANSWER if name in fields), "answer")
    if question not in fields or answer not in fields:
        columns = ", ".join(fields)
        raise InputError(f"{source}: say which columns to use, question=… and answer=…; there are {columns}")
    gold = fields[answer]
    if isinstance(gold, str) and "####" in gold:
        gold = gold.rpartition("####")[2].strip()
    return {**fields, "question": fields[question], "answer": gold}
