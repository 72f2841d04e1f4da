"""The requests that reward servers take, as pure functions; their replies are read in `reward_replies`.

Facts: vLLM's `entrypoints/pooling/{base,pooling,scoring}/protocol.py` (``/pooling`` and ``/classify`` take ``input``
texts or one ``messages``; ``/score`` takes ``text_1`` and ``text_2``; ``/rerank`` answers ``results`` with
``relevance_score``; ``use_activation`` false leaves a scalar as it is; each has ``usage``). SGLang: "Native APIs"
(``/classify`` takes ``text`` and answers a list of ``embedding``), `serving_rerank.py` (a bare list with ``score`` and
``meta_info``), `serving_score.py` (``/v1/score``: probabilities of ``label_token_ids`` after ``query`` + item, and no
usage). llama.cpp: server README and `format_response_rerank` (``/v1/rerank``: ``results``, ``relevance_score``, usage).
The plain protocol is ours: docs/verifiers.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import msgspec

from outthink.answers.steps import split_steps
from outthink.core.errors import InputError
from outthink.core.problem import text_of
from outthink.core.wire import RateAsk, RateCall
from outthink.models.reward_forms import Form, chatml, llama3

_TURN = 64
"""Tokens that a template of the server's own may add to a text: a system turn and its marks."""


class Wanted(msgspec.Struct, frozen=True):
    """An ask made ready: whose server, by which form, and of each answer that says anything its place and parts.

    ``parts``: its steps, or for an outcome model the whole text alone.
    """

    model: str
    dialect: str
    endpoint: str
    form: Form | None
    ask: RateAsk
    places: tuple[int, ...]
    parts: tuple[tuple[str, ...], ...]

    @property
    def turns(self) -> list[dict[str, str]]:
        """The conversation as texts, under the form's own system message where it has one."""
        turns = [{"role": str(m.get("role")), "content": text_of(m)} for m in self.ask.messages]
        if self.form is None or not self.form.system:
            return turns
        return [{"role": "system", "content": self.form.system}, *(m for m in turns if m["role"] != "system")]

    @property
    def question(self) -> str:
        """The last user message, which is all that models of one question and one answer see."""
        return next((text_of(m) for m in reversed(self.ask.messages) if m.get("role") == "user"), "")


def wanted(model: str, dialect: str, form: Form | None, ask: RateAsk) -> Wanted:
    """Choose the endpoint and split the answers. Raises `InputError` for what no endpoint of this server does."""
    endpoint = ask.endpoint if ask.endpoint != "auto" else _endpoint(model, dialect, form, ask.process)
    if form is not None and endpoint != "plain" and form.process != ask.process:
        kind, other = ("process", "prm") if form.process else ("outcome", "reward")
        raise InputError(f"{model} is a reward model of the {kind} kind ({form.name}); use the verifier {other}")
    if form is None and endpoint != "plain":
        raise InputError(f"{model} is not a known process reward model; name its form, for example form=qwen-prm")
    rule = form.split if ask.split == "auto" and form is not None else ask.split
    split = [tuple(split_steps(text, rule)) if ask.process else (text.strip(),) for text in ask.answers]
    kept = [place for place, parts in enumerate(split) if any(parts)]
    return Wanted(model, dialect, endpoint, form, ask, tuple(kept), tuple(split[place] for place in kept))


def _endpoint(model: str, dialect: str, form: Form | None, process: bool) -> str:
    if dialect == "llamacpp" and not process:
        return "rerank"
    if dialect not in ("vllm", "sglang", "llamacpp"):
        return "plain"
    if form is None:
        return "unknown"
    found = form.vllm if dialect == "vllm" else form.sglang if dialect == "sglang" else ""
    if not found:
        raise InputError(
            f"no endpoint of {dialect} is known to serve {model} ({form.name}); put its authors' code behind the plain "
            "protocol, and say endpoint=plain"
        )
    return found


def calls(want: Wanted) -> tuple[RateCall, ...]:
    """The requests that rate all answers: one where the endpoint takes lists."""
    return tuple(_BUILD[want.endpoint](want)) if want.places else ()


def _pooled(want: Wanted) -> list[RateCall]:
    """``/pooling`` and ``/classify``: texts in a list, or one conversation a request for the server's template."""
    form, path = _form(want), f"/{want.endpoint}"
    flags: dict[str, Any] = {"use_activation": False} if form.meaning == "scalar" else {}
    whole = [(*want.turns, {"role": "assistant", "content": _marked(parts, form)}) for parts in want.parts]
    counts = [len(parts) for parts in want.parts]
    if want.dialect == "sglang":
        texts = [_text(want, list(turns)) for turns in whole]
        return [_call(want, path, {"model": want.model, "text": texts}, want.places, counts)]
    if form.template != "server":
        texts = [_text(want, list(turns)) for turns in whole]
        body = {"model": want.model, "input": texts, "add_special_tokens": False, **flags}
        return [_call(want, path, body, want.places, counts)]
    return [
        _call(want, path, {"model": want.model, "messages": turns, **flags}, [place], [count], _TURN + 16 * len(turns))
        for turns, place, count in zip(whole, want.places, counts, strict=True)
    ]


def _scored(want: Wanted) -> list[RateCall]:
    """``/score`` of pairs (vLLM), or the probability of a label after each beginning (SGLang)."""
    if want.dialect != "sglang":
        texts = [parts[0] for parts in want.parts]
        body: dict[str, Any] = {"model": want.model, "text_1": want.question, "text_2": texts}
        return [_call(want, "/score", body, want.places, [1] * len(texts), _repeated(want, len(texts)))]
    form = _form(want)
    if not form.labels:
        raise InputError(f"SGLang's score needs the token ids of right and wrong, which {form.name} has none of")
    owners, begun = _begun(want, form)
    body = {
        "model": want.model,
        "query": want.question,
        "items": [f" {text}" for text in begun],
        "label_token_ids": form.labels,
        "apply_softmax": True,
        "item_first": False,
    }
    return [_call(want, "/v1/score", body, owners, [1] * len(begun), _repeated(want, len(begun)))]


def _reranked(want: Wanted) -> list[RateCall]:
    texts = [parts[0] for parts in want.parts]
    body = {"model": want.model, "query": want.question, "documents": texts}
    return [_call(want, "/v1/rerank", body, want.places, [1] * len(texts), _repeated(want, len(texts)))]


def _chatted(want: Wanted) -> list[RateCall]:
    """A request a step: the steps as turns, each before it answered by ``+``, and the chance of the next ``+``."""
    found: list[RateCall] = []
    for place, steps in zip(want.places, want.parts, strict=True):
        turns: list[dict[str, str]] = []
        for number, step in enumerate(steps):
            turns.append({"role": "user", "content": step if number else f"{want.question} {step}"})
            options = {"max_tokens": 1, "temperature": 0, "logprobs": True, "top_logprobs": 20}
            body: dict[str, Any] = {"model": want.model, "messages": list(turns), **options}
            found.append(_call(want, "/v1/chat/completions", body, [place], [1], _TURN + 16 * len(turns), 1))
            turns.append({"role": "assistant", "content": "+"})
    return found


def _completed(want: Wanted) -> list[RateCall]:
    """The chance of ``+`` after each step's mark, for all steps of all answers in one request."""
    owners, begun = _begun(want, _form(want))
    texts = [f"{want.question} {text}" for text in begun]
    body: dict[str, Any] = {"model": want.model, "prompt": texts, "max_tokens": 1, "temperature": 0, "logprobs": 5}
    return [_call(want, "/v1/completions", body, owners, [1] * len(texts), new_tokens=len(texts))]


def _plain(want: Wanted) -> list[RateCall]:
    body = {
        "model": want.model,
        "question": want.question,
        "messages": want.ask.messages,
        "process": want.ask.process,
        "answers": want.parts,
    }
    counts = [len(parts) for parts in want.parts]
    return [_call(want, "", body, want.places, counts, _TURN * sum(counts) + _repeated(want, len(want.places)))]


_BUILD: dict[str, Callable[[Wanted], list[RateCall]]] = {
    "pooling": _pooled,
    "classify": _pooled,
    "score": _scored,
    "rerank": _reranked,
    "chat": _chatted,
    "completions": _completed,
    "plain": _plain,
}


def _call(
    want: Wanted,
    path: str,
    body: dict[str, Any],
    answers: Sequence[int],
    values: Sequence[int],
    extra: int = 0,
    new_tokens: int = 0,
) -> RateCall:
    """A request; a text has no more tokens than bytes, so its bytes and what is added there (``extra``) bound it."""
    return RateCall(
        endpoint=want.endpoint,
        process=want.ask.process,
        path=path,
        body=body,
        answers=tuple(answers),
        values=tuple(values),
        bound=len(msgspec.json.encode(body)) + 4 * len(answers) + extra,
        new_tokens=new_tokens,
    )


def _form(want: Wanted) -> Form:
    if want.form is None:
        raise InputError(f"{want.model} is not a known reward model; name its form")
    return want.form


def _repeated(want: Wanted, times: int) -> int:
    """The bytes of a question that is sent once and read so many times."""
    return (times - 1) * len(want.question.encode())


def _marked(parts: Sequence[str], form: Form) -> str:
    if not form.mark:
        return "\n\n".join(parts)
    return "".join(f"{part.replace(form.mark, '')}{form.mark}" for part in parts)


def _begun(want: Wanted, form: Form) -> tuple[list[int], list[str]]:
    """Every beginning of every answer that ends with a step's mark, and whose it is."""
    owners: list[int] = []
    texts: list[str] = []
    for place, parts in zip(want.places, want.parts, strict=True):
        marked = (f"{part}{form.mark}" for part in parts)
        texts += accumulate(marked, lambda before, step: f"{before}\n{step}")
        owners += [place] * len(parts)
    return owners, texts


def _text(want: Wanted, turns: list[dict[str, str]]) -> str:
    """A conversation as text, in which what was said cannot pass for the template's own marks."""
    safe = [{"role": turn["role"], "content": turn["content"].replace("<|", "< |")} for turn in turns]
    template = _form(want).template
    if template == "llama3" or (template == "server" and "llama" in want.model.lower()):
        return llama3(safe)
    return chatml(safe)
