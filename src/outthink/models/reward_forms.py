"""Known reward models: how each wants its text, which endpoint gives its values, and what they mean.

``checked`` says against what the facts were held; empty where nothing could be reached that tells them. None of these
models was run here. Sources: the models' own cards; `RLHFlow/RLHF-Reward-Modeling` (`math-rm/prm_evaluate.py`);
`huggingface/search-and-learn` (`sal/models/reward_models.py`); SGLang's "Native APIs" page; vLLM's pages on pooling
models (Qwen2's step pooler gives softmax rows for ``<extra_0>``, its reward pooler a row a token).
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from outthink.core.errors import UnknownName
from outthink.core.wire import SplitRule

Template = Literal["server", "chatml", "llama3", "text"]
"""Who turns the conversation into text: the server by the model's own template, or we by a known one."""
_BOXED = "Please reason step by step, and put your final answer within \\boxed{}."


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of reward model. ``names``: a pattern that its models' names match.

    ``template`` and ``system``: see `Template`; ``mark`` follows each step. ``vllm``, ``sglang``: the endpoint to use
    there, empty where none serves it. ``labels``: the token ids of right and wrong, for SGLang's ``score``.
    ``meaning``: what a value is: a ``probability`` in [0, 1], or a ``scalar`` of any size (higher is better).
    """

    name: str
    names: str
    process: bool
    meaning: Literal["probability", "scalar"]
    split: SplitRule = "auto"
    template: Template = "server"
    system: str = ""
    mark: str = ""
    vllm: str = ""
    sglang: str = ""
    labels: tuple[int, ...] = ()
    checked: str = ""


FORMS = (
    Form(
        name="qwen-prm",
        names=r"qwen2\.5-math-(?:prm|7b-prm800k)",
        process=True,
        meaning="probability",
        split="blank",
        template="chatml",
        system=_BOXED,
        mark="<extra_0>",
        vllm="pooling",
        checked="model cards of Qwen2.5-Math-PRM-7B, -72B and -7B-PRM800K",
    ),
    Form(
        name="math-shepherd",
        names=r"math-shepherd",
        process=True,
        meaning="probability",
        split="auto",
        template="text",
        mark=" ки",
        vllm="completions",
        sglang="score",
        labels=(648, 387),
        checked="Math-Shepherd's data card and search-and-learn; not the tokens' spelling in a server's logprobs",
    ),
    Form(
        name="rlhflow-prm",
        names=r"prm-(?:mistral|deepseek)-data",
        process=True,
        meaning="probability",
        split="blank",
        vllm="chat",
        sglang="chat",
        checked="prm_evaluate.py of its authors",
    ),
    Form(
        name="skywork-prm",
        names=r"skywork-o1-open-prm",
        process=True,
        meaning="probability",
        split="line",
        checked="skywork-o1-prm-inference: a sigmoid at a newline token of its own after each step, which a text "
        "cannot name; needs its authors' code behind the plain protocol",
    ),
    Form(
        name="qwen-rm",
        names=r"qwen2(?:\.5)?-math-rm",
        process=False,
        meaning="scalar",
        template="chatml",
        system=_BOXED,
        vllm="pooling",
        sglang="classify",
        checked="QwenLM/Qwen2.5-Math README (template and scalar), SGLang's list of reward models",
    ),
    Form(
        name="skywork-reward",
        names=r"skywork-reward",
        process=False,
        meaning="scalar",
        template="server",
        vllm="classify",
        sglang="classify",
        checked="SGLang's Native APIs (v0.2); V2 is a Bradley-Terry scalar by its card; the text for SGLang is not",
    ),
    Form(
        name="armo",
        names=r"armorm",
        process=False,
        meaning="scalar",
        checked="its use with transformers (`output.score`); whether a server serves it is not known",
    ),
    Form(
        name="reranker",
        names=r"rerank",
        process=False,
        meaning="scalar",
        template="text",
        vllm="rerank",
        sglang="rerank",
        checked="llama.cpp's server README, vLLM's scoring protocol, SGLang's serving_rerank.py",
    ),
    Form(name="chat", names=r"$.", process=False, meaning="scalar", vllm="classify", sglang="classify"),
)
"""The last one, which no name matches, is for outcome models that are not known: the server's own chat template."""


def form_for(model: str, form: str, process: bool) -> Form | None:
    """The form by its name, or (``auto``) by the model's; None for a process model that is not known."""
    known = {one.name: one for one in FORMS}
    if form != "auto":
        if form not in known:
            raise UnknownName(f"reward form {form!r} does not exist; it is one of {', '.join(known)}", tuple(known))
        return known[form]
    found = next((one for one in FORMS if re.search(one.names, model, re.IGNORECASE)), None)
    return found or (None if process else known["chat"])


def chatml(messages: list[dict[str, str]]) -> str:
    """Qwen's template, for messages that begin with a system turn."""
    return "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages)


def llama3(messages: list[dict[str, str]]) -> str:
    """Llama 3's template, without the system turn that 3.1 adds by itself."""
    turns = (f"<|start_header_id|>{m['role']}<|end_header_id|>\n\n{m['content']}<|eot_id|>" for m in messages)
    return "<|begin_of_text|>" + "".join(turns)
