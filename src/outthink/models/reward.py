"""Reward models behind HTTP: the endpoints of vLLM, SGLang and llama.cpp, and a plain protocol of our own.

The connection, the keys, the time limits and what a refusal means are those of `outthink.models.http`.
"""

from __future__ import annotations

from outthink.core.wire import Price, RateAsk, RateCall, Rating
from outthink.models.config import Alias
from outthink.models.http import HttpModel, open_http
from outthink.models.reward_forms import form_for
from outthink.models.reward_replies import read
from outthink.models.reward_wire import calls, wanted


class HttpReward:
    """The reward model that a server offers; see `outthink.core.protocols.RewardModel`."""

    def __init__(self, server: HttpModel) -> None:
        self._server = server
        self.name = server.name
        self.price: Price | None = server.price
        self.parameters = server.parameters

    async def requests(self, ask: RateAsk) -> tuple[RateCall, ...]:
        dialect = "openai" if ask.endpoint == "plain" else (await self._server.known("/v1/models")).name
        return calls(wanted(self.name, dialect, form_for(self.name, ask.form, ask.process), ask))

    async def rate(self, call: RateCall) -> Rating:
        return read(await self._server.post(call.path, call.body), call, self._server.base_url)

    async def aclose(self) -> None:
        await self._server.aclose()


async def open_reward(text: str, *, timeout: float | None = None, alias: Alias | None = None) -> HttpReward:
    """Open ``NAME@http://host:port`` as a reward model; see `outthink.models.http.open_http`."""
    return HttpReward(await open_http(text, timeout=timeout, alias=alias))
