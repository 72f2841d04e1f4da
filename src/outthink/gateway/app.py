"""The application: routes, the guard of a server without keys, and the envelope around every error."""

from __future__ import annotations

import ipaddress
import re
import secrets
import time
from typing import cast
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from outthink.core.errors import OutthinkError
from outthink.gateway.chat import Gateway, Streamed, Whole, error_response, json_response
from outthink.gateway.errors import Failure, Rejected, failure
from outthink.gateway.request import read_chat, unknown_model

_REQUEST_ID = re.compile(r"[!-~]{1,200}")


def application(gateway: Gateway) -> ASGIApp:
    """The gateway as an ASGI application, for this machine only."""
    began = int(time.time())

    async def chat(request: Request) -> ASGIApp:
        asked = read_chat(await _body(request, gateway.largest), gateway.models, gateway.strategy, gateway.aliases)
        return Streamed(gateway, asked) if asked.stream else Whole(gateway, asked)

    def described(model: str) -> dict[str, object]:
        return {"id": model, "object": "model", "created": began, "owned_by": "outthink"}

    async def models(request: Request) -> Response:
        return json_response({"object": "list", "data": [described(model) for model in gateway.models]})

    async def model(request: Request) -> Response:
        name: str = request.path_params["model"]
        if name not in gateway.models:
            raise unknown_model(name, gateway.models)
        return json_response(described(name))

    async def health(request: Request) -> Response:
        return json_response({"status": "ok"})

    inner = Starlette(
        routes=[
            Route("/v1/chat/completions", chat, methods=["POST"]),
            Route("/v1/models", models),
            Route("/v1/models/{model:path}", model),
            Route("/healthz", health),
        ],
        exception_handlers={OutthinkError: _told, HTTPException: _no_route, Exception: _defect},
    )
    return _Identified(_Local(inner))


async def _body(request: Request, largest: int) -> bytes:
    """The body, up to ``largest`` bytes; raises `Rejected` (413) beyond."""
    data, too_large = bytearray(), int(request.headers.get("content-length", 0)) > largest
    if not too_large:
        async for piece in request.stream():
            data += piece
            if len(data) > largest:
                too_large = True
                break
    if too_large:
        raise Rejected(
            f"the body is larger than the {largest} bytes this server takes", status=413, code="request_too_large"
        )
    return bytes(data)


async def _told(request: Request, error: Exception) -> Response:
    return error_response(failure(cast("OutthinkError", error)))


async def _no_route(request: Request, error: Exception) -> Response:
    known = cast("HTTPException", error)
    told = f"{request.method} {request.url.path}: {known.detail}"
    return error_response(
        Failure(status=known.status_code, message=told, kind="invalid_request_error", headers=dict(known.headers or {}))
    )


async def _defect(request: Request, error: Exception) -> Response:
    """Our own fault: told without its insides (the server's log has them)."""
    return error_response(Failure(status=500, message="a defect in outthink; see its log", kind="server_error"))


class _Identified:
    """An ``x-request-id`` on every response, the caller's own where there is one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        given = Headers(scope=scope).get("x-request-id", "")
        name = given if _REQUEST_ID.fullmatch(given) else f"req_{secrets.token_hex(12)}"

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["x-request-id"] = name
            await send(message)

        await self._app(scope, receive, named)


class _Local:
    """Without keys only this machine is served: pages of other sites that reach it by a browser are turned away."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        places = [urlsplit(f"//{headers.get('host', 'localhost')}")]
        if "origin" in headers:
            places.append(urlsplit(headers["origin"]))
        if all(is_loopback(place.hostname or "") for place in places):
            await self._app(scope, receive, send)
            return
        told = "without keys this server answers this machine only (host and origin must be localhost)"
        refused = Failure(status=403, message=told, kind="permission_error", code="not_local")
        await error_response(refused)(scope, receive, send)


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
