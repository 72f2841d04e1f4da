"""A scripted judge: it believes the worth of what is fenced, and obeys whatever stands outside a fence.

It finds the fences by itself, from what the prompt announces; it knows nothing of how they are made.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from outthink.core.problem import text_of
from outthink.models.script import Said, Script

_ANNOUNCED = re.compile(r"^(.+) is all that stands between the two lines (\S+?)\. ", re.MULTILINE)
_CONTROL = re.compile(r"<\|im_(?:start|end)\|>|\[/?INST\]|</?s>|<(?:start|end)_of_turn>|<｜end▁of▁sentence｜>|</think>")
_ORDERS = re.compile(r"\b(?:say|reply|and answer) (yes|no|10|[1-9])\b(?!,| or)", re.IGNORECASE)


def taken_apart(prompt):
    """What stands outside the fences, and what is inside, by its announced name."""
    outside, inside, at = [], {}, 0
    while (found := _ANNOUNCED.search(prompt, at)) is not None:
        name, mark = found.groups()
        begins = prompt.index(f"\n{mark}\n", found.end()) + len(mark) + 2
        ends = prompt.index(f"\n{mark}", begins)
        outside.append(prompt[at : prompt.index("\n", found.end())])
        inside[name] = prompt[begins:ends]
        at = ends + len(mark) + 1
    return "".join([*outside, prompt[at:]]), inside


@dataclass(frozen=True)
class JudgeScript(Script):
    """``worth``: how good a text is, 0 to 1. ``bias``: added to the log odds of the answer shown first of two.
    ``told``: whether likeliest tokens are. ``checks``: what it writes when asked to check steps."""

    worth: Callable[[str], float] = field(default=lambda text: 0.5)
    bias: float = 0.0
    told: bool = True
    checks: str = ""

    def say(self, messages, seed, max_tokens, stop=()):
        prompt = text_of(messages[-1])
        if "impartial judge" not in prompt and "agrees most with the others" not in prompt:
            return super().say(messages, seed, max_tokens, stop)
        outside, inside = taken_apart(prompt)
        taken_over = _CONTROL.split(prompt)
        ordered = _ORDERS.search(outside if len(taken_over) == 1 else taken_over[-1])
        if ordered is not None:
            return self._said({ordered[1]: 1.0})
        if "steps are numbered" in outside or "three short sentences" in outside:
            text = self.checks or "Nothing is wrong."
            return Said(tuple(re.findall(r"\s*\S+", text))[:max_tokens], (-0.1,) * len(text.split()), "stop")
        return self._said(self._verdict(outside, [text for name, text in inside.items() if name != "The question"]))

    def _verdict(self, outside, texts):
        worths = [min(max(self.worth(text), 1e-6), 1 - 1e-6) for text in texts]
        odds = [math.log(worth / (1 - worth)) for worth in worths]
        if "yes or no" in outside:
            yes, no = worths[0], 1 - worths[0]
            return {"Yes": 0.75 * yes, " yes": 0.25 * yes, "No": 0.5 * no, " NO": 0.5 * no}
        if "from 1 (wrong" in outside:
            return {str(round(1 + 9 * worths[0])): 1.0}
        if "1 or 2" in outside:
            first = 1 / (1 + math.exp(odds[1] - odds[0] - self.bias))
            return {"1": first, "2": 1 - first}
        whole = sum(worths)
        return {str(place): worth / whole for place, worth in enumerate(worths, start=1)}

    def _said(self, shares):
        best = max(shares, key=shares.__getitem__)
        top = {token: math.log(share) if share else -99.0 for token, share in shares.items()}
        return Said((best,), (top[best],), "length", (top,) if self.told else ())
