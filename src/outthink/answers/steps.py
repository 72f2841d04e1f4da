"""The steps of a chain of thought: one splitter for those who judge steps and those who sample them.

``step``: a step begins at a line that says ``Step k`` (``**Step 2:**`` and ``### Step 2`` too); what stands before the
first is a step of its own. ``blank``: steps are parted by blank lines. ``line``: each line is one. ``auto``: the first
of these rules that finds more than one step.

For the fixed rules, the steps of a text cut off at the end of a step are the first steps of the whole text.
"""

from __future__ import annotations

import re

from outthink.core.wire import SplitRule

_HEAD = re.compile(r"^[ \t]*(?:#{1,6}[ \t]*)?(?:\*\*|__)?[Ss]tep[ \t]+\d+\b", re.MULTILINE)
_BLANK = re.compile(r"\n[ \t]*(?:\r?\n[ \t]*)+")
STOPS: dict[SplitRule, tuple[str, ...]] = {"step": ("\nStep ",), "blank": ("\n\n",), "line": ("\n",)}
"""Texts at which a model may be stopped so that it makes one step by a rule."""


def split_steps(text: str, rule: SplitRule = "auto") -> list[str]:
    """The steps of a text, without the space around them and without empty ones."""
    if rule == "auto":
        found = (split_steps(text, known) for known in STOPS)
        return next((steps for steps in found if len(steps) > 1), [text.strip()] if text.strip() else [])
    if rule == "step":
        begins = [head.start() for head in _HEAD.finditer(text)]
        parts = [text[at:to] for at, to in zip([0, *begins], [*begins, len(text)], strict=True)]
    else:
        parts = _BLANK.split(text) if rule == "blank" else text.splitlines()
    return [part.strip() for part in parts if part.strip()]
