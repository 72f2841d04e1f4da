"""``outthink strategies``: what there is, with parameters, needs and papers."""

from __future__ import annotations

import json
from collections.abc import Sequence

import typer

from outthink.plugins import VERIFIERS, Parameter, StrategyInfo, describe


def register(root: typer.Typer, summary: str) -> None:
    root.command("strategies", help=summary)(strategies)


def strategies(
    as_json: bool = typer.Option(False, "--json", help="Print one JSON array."),
    debug: bool = typer.Option(False, "--debug", help="Show where an error comes from."),
) -> None:
    """List the strategies, and the verifiers they may use."""
    del debug  # read at the edge
    infos = describe()
    if as_json:
        rows = [
            {
                "name": info.name,
                "summary": info.summary,
                "parameters": [
                    {"name": p.name, "type": p.type, "required": p.required}
                    | ({} if p.required else {"default": p.default})
                    for p in info.parameters
                ],
                "needs": list(info.needs),
                "paper": info.paper,
            }
            for info in infos
        ]
        print(json.dumps(rows, default=str))
        return
    _list(infos)
    print("\nverifiers, for best-of-n(verifier=…):")
    _list(describe(VERIFIERS))


def _list(infos: Sequence[StrategyInfo]) -> None:
    for info in infos:
        paper = f"  [{info.paper}]" if info.paper else ""
        print(f"{info.name}({', '.join(map(_shown, info.parameters))}){paper}\n    {info.summary}")
        if info.needs:
            print(f"    needs: {', '.join(info.needs)}")


def _shown(parameter: Parameter) -> str:
    default = "none" if parameter.default is None else str(parameter.default)
    return parameter.name if parameter.required else f"{parameter.name}={default}"
