"""A bare answer (a gold answer, or what stood behind a marker) in its canonical form."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence

from outthink.answers.expression import expression, without_unit
from outthink.answers.fences import fenced
from outthink.answers.numbers import number_word, numbers_in, only_numbers
from outthink.answers.programs import code_answer
from outthink.answers.python import literal_answer
from outthink.answers.structured import calls_answer, json_answer
from outthink.core.candidate import Answer
from outthink.core.problem import AnswerKind

_NONE = {
    "",
    "none",
    "unknown",
    "n/a",
    "nan",
    "null",
    "undefined",
    "cannot be determined",
    "not enough information",
    "number",
    "answer",
    "letter",
}
_YES, _NO = {"yes", "true", "correct", "y"}, {"no", "false", "incorrect", "n"}
_LATEX = re.compile(r"\\(?:text|mathrm|mathbf|textbf|mathit|boxed|fbox)\s*\{([^{}]*)\}")
_WRAPS = re.compile(r"\\[()\[\]!;:]|\$\$?|\*\*|__|`|</?\w{1,20}>|\\left|\\right")
_LABEL = re.compile(r"^\W*(?:(?:option|choice|answer)\s+)?\(?([A-Za-z])(?:[).:\]]|\b)(?!')", re.IGNORECASE)
_OWN_LABEL = re.compile(r"^\(?([A-Z])\)\s*")
_PLAIN = re.compile(r"\s*\$?(-?\d{1,18})\.?\s*")
_FORMULA = re.compile(
    r"sqrt|√|\\(?:pi|times|cdot|overline)(?![A-Za-z])|π|\dpi\b|\bpi\b|\d\s?[*×]\s?10|\d_|\d[xyz]\b"
    r"|\^(?!\s*\{?\s*(?:\\circ|\\text|\\mathrm|°|th\b|st\b|nd\b|rd\b))|[⁰¹²³⁴⁵⁶⁷⁸⁹]|\\equiv|\\pmod"
    r"|[\d)}]\s*[+×*]\s*[\d({\\.A-Za-z]|[\d)}]\s*[-−]\s*[({\\]|[\d)}]\s*[-−]\s*[A-Za-z]\b|\d\s?x\s?\d"
)
_REMARK = re.compile(r"\s\([^()]*\)\s*$")
LONGEST = 2000
"""Characters of an answer that is not structured; of a longer choice or boolean the first ones are looked at."""


def bare(text: str) -> str:
    """An answer without LaTeX wrappers, markdown emphasis and tags."""
    text = text[:LONGEST]
    for _ in range(3):
        text = _LATEX.sub(r"\1", text)
    return _WRAPS.sub("", text).strip().strip("<>").strip()


def canonical(value: str, kind: AnswerKind, choices: Sequence[str] = ()) -> Answer | None:
    """The canonical `Answer` of a bare value, None for a non-answer. Never raises.

    A number, formula or span of more than `LONGEST` characters is no answer: cut, it could equal another.
    """
    if len(value) > LONGEST and kind in ("number", "expression", "span", "text", "auto"):
        return None
    if kind == "number":
        return _number(value)
    if kind in ("json", "code", "tool_call", "literal"):
        return _structured(value, kind)
    if kind == "expression":
        return _expression(value)
    text = bare(value)
    if text.rstrip(".").lower() in _NONE:
        return None
    if kind == "choice":
        return _choice(text, choices)
    if kind == "boolean":
        return _boolean(text)
    return _span(text, kind)


def _number(value: str) -> Answer | None:
    plain = _PLAIN.fullmatch(value)
    if plain:  # by far the most common, and then nothing else needs to be looked at
        text = str(int(plain[1]))
        return Answer(text, "number", text)
    text = bare(re.sub(r"\\[dt]?frac", r"\\frac", value)) if "frac" not in value else _keep_fractions(value)
    word = number_word(text)
    if word is not None:
        return Answer(word, "number", word)
    if "=" in text:
        text = text.rpartition("=")[2]
    if _FORMULA.search(_REMARK.sub(" ", text)):
        return _formula(_REMARK.sub(" ", text))
    if re.search(r"\b(?:between|or|to|and)\b", text) and len(set(numbers_in(text))) > 1:
        return None
    found = numbers_in(re.sub(r"\([^()]*\)", " ", text)) or numbers_in(text)
    if len(found) > 1 and only_numbers(text):  # a list, a range or a date
        return None
    return Answer(found[0], "number", found[0]) if found else None


def _formula(text: str) -> Answer | None:
    """A number that is given by a formula (``2\\sqrt{3}``, ``10^{-3}``): its value, exactly, not its first digits."""
    clean, key = expression(without_unit(text))
    if not clean or key[0] in "{([uwm<≤":
        return None
    return Answer(key, "number", key) if key[0] in "-0123456789" else Answer(clean, "number", key)


def _expression(value: str) -> Answer | None:
    clean, key = expression(value)
    if not clean or clean.lower() in _NONE or not key.strip("~?"):
        return None
    return Answer(key if re.fullmatch(r"-?[\d./]+", key) else clean, "expression", key)


def _structured(value: str, kind: AnswerKind) -> Answer | None:
    block = fenced(value)
    text = value if block is None else block
    if kind == "json":
        return json_answer(text)
    if kind == "code":
        return code_answer(text)
    return calls_answer(text) if kind == "tool_call" else literal_answer(text)


def _keep_fractions(value: str) -> str:
    return _WRAPS.sub("", value[:LONGEST]).strip()


def _choice(text: str, choices: Sequence[str]) -> Answer | None:
    labels = [_label(choice, i) for i, choice in enumerate(choices)]
    match = _LABEL.match(text)
    if match and (not labels or match[1].upper() in labels):
        lone = len(text) <= 3 or text[match.end(1) : match.end(1) + 1] in (")", ".", ":", "]", "")
        if lone:
            return Answer(match[1].upper(), "choice", match[1].upper())
    wanted = _folded(text)
    same = [
        label for label, choice in zip(labels, choices, strict=True) if _folded(_OWN_LABEL.sub("", choice)) == wanted
    ]
    if len(same) == 1:
        return Answer(same[0], "choice", same[0])
    held = [
        label
        for label, choice in zip(labels, choices, strict=True)
        if (own := _folded(_OWN_LABEL.sub("", choice))) and f" {own} " in f" {wanted} "
    ]
    return Answer(held[0], "choice", held[0]) if len(held) == 1 else None


def _label(choice: str, place: int) -> str:
    own = _OWN_LABEL.match(choice)
    return own[1] if own else string.ascii_uppercase[place % 26]


def _boolean(text: str) -> Answer | None:
    words = re.findall(r"[a-z]+", text.lower())
    first = words[0] if words else ""
    if first in _YES or first in _NO:
        value = "yes" if first in _YES else "no"
        return Answer(value, "boolean", value)
    return None


def _span(text: str, kind: AnswerKind) -> Answer | None:
    text = " ".join(text.split()).rstrip(".")
    key = _folded(text) if kind == "span" else text
    return Answer(text, kind, key or text) if text else None


def _folded(text: str) -> str:
    """Lower case, no articles, no punctuation, single spaces (SQuAD's normalisation)."""
    words = re.sub(r"[^\w\s]", " ", text.lower()).split()
    return " ".join(word for word in words if word not in ("a", "an", "the"))
