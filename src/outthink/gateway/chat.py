"""One chat completion: a run under a client that may leave, answered whole or as a stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import msgspec
from anyio.abc import TaskGroup
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from outthink.api import Engine
from outthink.core.candidate import Result
from outthink.core.errors import OutthinkError
from outthink.core.events import RunEnded
from outthink.core.groups import task_group
from outthink.core.usage import Usage
from outthink.engine.log import EventLog
from outthink.gateway.errors import Failure, Rejected, failure
from outthink.gateway.reply import Head, completion, cost_headers
from outthink.gateway.request import ChatRequest
from outthink.gateway.stream import DONE, PING, Chunks, sse

_encode = msgspec.json.Encoder().encode


class Gateway:
    """What all requests share: the engine, the models by public id, and the books of all runs.

    ``strategy``: for requests that name none (None: by the kind of answer). ``ping``: seconds of silence in a stream
    before a comment keeps it open. ``largest``: bytes of a request's body. ``stopping``, once set, ends the runs in
    flight, and their clients are told so.
    """

    def __init__(
        self,
        engine: Engine,
        models: dict[str, str],
        *,
        strategy: str | None = None,
        ping: float = 15.0,
        largest: int = 32 << 20,
    ) -> None:
        self.engine, self.models, self.strategy = engine, models, strategy
        self.aliases = tuple(engine.config.models)
        self.ping, self.largest = ping, largest
        self.stopping = anyio.Event()
        self.runs = 0
        self.spent = Usage()


class Turn:
    """One request's run: its log, and what it has spent."""

    def __init__(self, gateway: Gateway, request: ChatRequest) -> None:
        self.gateway, self.request = gateway, request
        self.log: EventLog | None = None
        self.stopped = False

    def told_to_stop(self) -> Failure:
        """What a client hears whose run was ended for the server's sake."""
        return failure(Rejected("the server is stopping; ask again later", status=503, code="stopping"), self.spent)

    async def until_stopped(self, group: TaskGroup) -> None:
        """Cancel a group once the server stops."""
        await self.gateway.stopping.wait()
        self.stopped = True
        group.cancel_scope.cancel()

    @property
    def ended(self) -> RunEnded | None:
        last = self.log.events[-1] if self.log is not None and self.log.events else None
        return last if isinstance(last, RunEnded) else None

    @property
    def spent(self) -> Usage:
        """What the run cost, however it ended."""
        return self.ended.usage if self.ended is not None else Usage()

    async def solve(self, watch: Callable[[EventLog], None] = lambda log: None) -> Result:
        """The run. What it spent is counted even when its client has left."""
        request = self.request

        def begin(log: EventLog) -> None:
            self.log = log
            watch(log)

        try:
            return await self.gateway.engine.solve(
                request.problem,
                model=request.model,
                strategy=request.strategy,
                budget=request.budget,
                seed=request.seed,
                live=request.stream,
                watch=begin,
            )
        finally:
            self.gateway.runs += 1
            self.gateway.spent += self.spent


class Whole:
    """A reply in one piece."""

    def __init__(self, gateway: Gateway, request: ChatRequest) -> None:
        self._turn = Turn(gateway, request)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        responses: list[Response] = []  # none once the client has left
        async with task_group() as group:
            group.start_soon(_until_gone, receive, group)
            group.start_soon(self._turn.until_stopped, group)
            responses.append(await self._answer())
            group.cancel_scope.cancel()
        if self._turn.stopped and not responses:
            responses.append(error_response(self._turn.told_to_stop()))
        for response in responses:
            await response(scope, receive, send)

    async def _answer(self) -> Response:
        turn = self._turn
        try:
            result = await turn.solve()
        except OutthinkError as error:
            return error_response(failure(error, turn.spent))
        events = turn.log.events if turn.log is not None else []
        body = completion(Head.of(turn.request), turn.request, result, events)
        return json_response(body, headers=cost_headers(result.usage))


class Streamed:
    """A reply as server-sent events.

    Headers leave with the first chunk or ping, so that what fails before either has its true status.
    """

    def __init__(self, gateway: Gateway, request: ChatRequest) -> None:
        self._turn = Turn(gateway, request)
        self._chunks = Chunks(Head.of(request), request)
        self._ping = gateway.ping
        self._started = False
        self._last = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        failed: Failure | None = None
        alive = False
        async with task_group() as group:
            group.start_soon(_until_gone, receive, group)
            group.start_soon(self._turn.until_stopped, group)
            async with task_group() as quiet:
                quiet.start_soon(self._keep_alive, send)
                failed = await self._relay(send)
                quiet.cancel_scope.cancel()
            alive = True
            group.cancel_scope.cancel()
        if self._turn.stopped and not alive:
            alive, failed = True, self._turn.told_to_stop()
        if alive and failed is not None and not self._started:
            await error_response(failed)(scope, receive, send)
        elif alive:
            last = DONE if failed is None else sse(failed.body())
            await send({"type": "http.response.body", "body": last, "more_body": False})

    async def _relay(self, send: Send) -> Failure | None:
        """Run, and send each event's chunks as it happens; the failure where there is no result."""
        turn = self._turn
        result: Result | None = None
        failed: Failure | None = None
        async with task_group() as readers:

            def watch(log: EventLog) -> None:
                readers.start_soon(self._follow, log, send)

            try:
                result = await turn.solve(watch)
            except OutthinkError as error:
                failed = failure(error, turn.spent)
            if turn.ended is None:  # it never began, so the log has no end
                readers.cancel_scope.cancel()
        if result is not None and turn.log is not None:
            for chunk in self._chunks.end(result, turn.log.events):
                await self._send(send, sse(chunk))
        return failed

    async def _follow(self, log: EventLog, send: Send) -> None:
        async for event in log.follow():
            for chunk in self._chunks.take(event):
                await self._send(send, sse(chunk))

    async def _keep_alive(self, send: Send) -> None:
        self._last = anyio.current_time()
        while True:
            await anyio.sleep_until(self._last + self._ping)
            if anyio.current_time() >= self._last + self._ping:
                await self._send(send, PING)

    async def _send(self, send: Send, data: bytes) -> None:
        self._last = anyio.current_time()
        if not self._started:
            self._started = True
            headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
            start: Message = {"type": "http.response.start", "status": 200, "headers": headers}
            await send(start)
        await send({"type": "http.response.body", "body": data, "more_body": True})


async def _until_gone(receive: Receive, group: TaskGroup) -> None:
    """Cancel a group once the client has left: every call upstream ends with it."""
    while (await receive())["type"] != "http.disconnect":
        pass
    group.cancel_scope.cancel()


def json_response(body: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(_encode(body), status, headers, "application/json")


def error_response(failed: Failure) -> Response:
    return json_response(failed.body(), failed.status, failed.headers)
