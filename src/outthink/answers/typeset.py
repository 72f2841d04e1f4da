"""The many ways to typeset one formula, made one: LaTeX spacing, sizes, fonts and delimiters, and Unicode signs."""

from __future__ import annotations

import re

from outthink.answers.numbers import TYPED

LONGEST = 2000
"""Characters that are looked at."""
_SIGNS = str.maketrans(
    {
        **TYPED,
        "×": "*",
        "·": "*",
        "⋅": "*",
        "∗": "*",
        "÷": "/",
        "π": "\\pi ",
        "∞": "\\infty ",
        "±": "\\pm ",
        "≤": "\\le ",
        "≥": "\\ge ",
        "≠": "\\ne ",
        "∪": "\\cup ",
        "∈": "\\in ",
        "∅": "\\emptyset ",
        "θ": "\\theta ",
        "α": "\\alpha ",
        "β": "\\beta ",
        "λ": "\\lambda ",
        "º": "°",
        "’": "'",
        "\0": " ",
    }
)
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_SUPERSCRIPT = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+")
_RADICAL = re.compile(r"√\s*(\d+(?:\.\d+)?|[A-Za-z])?")
_SIZES = re.compile(
    r"\\(?:left|right|[bB]igg?[lr]?|displaystyle|textstyle|limits|boldsymbol|mathbf|mathrm|mathit|operatorname|bm)"
    r"(?![A-Za-z])\*?"
)
_BOXED = re.compile(r"\\(?:boxed|fbox)(?=\s*\{)")
_TEXT = re.compile(r"\\(?:mbox|textbf|textit|textrm|textnormal|texttt)(?=\s*\{)")
_GROUPED = re.compile(r"(?<=\d)(?:\\[,!;: ]|\{,\}|~)+(?=\d{3}(?!\d))|(?<=\d),\\!\s*(?=\d{3}(?!\d))")
_SPACING = re.compile(r"(?<!\\)\\[,;: ]|\\q?quad(?![A-Za-z])|~|\\\\(?=\s*$)")
_DEGREE = re.compile(r"\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![A-Za-z]))|\\degree(?![A-Za-z])|\\circ(?![A-Za-z])")
_MATH = re.compile(r"\\[()]|\\\[|\\\](?!\s*\{)|\$\$?")
_FRACTIONS = re.compile(r"\\[dtc]frac(?![A-Za-z])")
_POINTED = {"\\geqslant": "\\ge", "\\leqslant": "\\le", "\\lvert": "|", "\\rvert": "|", "\\vert": "|", "\\ast": "*"}


def plain(text: str) -> str:
    """A formula without what makes no difference to its meaning."""
    text = text[:LONGEST].strip()
    if text.isascii() and text.isalnum():
        return text
    text = _SUPERSCRIPT.sub(lambda match: "^{" + match[0].translate(_RAISED) + "}", text)
    text = text.translate(_SIGNS).replace("**", "^") if re.search(r"[\w)]\*\*[\w(-]", text) else text.translate(_SIGNS)
    text = text.strip("*` ").replace("{,}", ",")
    if "√" in text:
        text = _RADICAL.sub(lambda match: f"\\sqrt{{{match[1]}}}" if match[1] else "sqrt", text)
    if "\\" in text or "$" in text:
        text = _typeset(text)
    text = " ".join(text.split())
    while text.endswith((".", ",")) or (text.endswith(":") and len(text) > 1):
        text = text[:-1].rstrip()
    return text


def _typeset(text: str) -> str:
    text = text.replace("\\$", " ").replace("\\%", "%").replace("\\left.", " ").replace("\\right.", " ")
    text = _GROUPED.sub(lambda match: "," if match[0].startswith(",") else "", text).replace("\\!", "")
    text = _MATH.sub(" ", text)
    text = _SIZES.sub("", _BOXED.sub("", text))
    text = _TEXT.sub(r"\\text", text)
    text = _SPACING.sub(" ", text)
    text = _DEGREE.sub("°", text)
    text = _FRACTIONS.sub(r"\\frac", text)
    for name, same in _POINTED.items():
        if name in text:
            text = re.sub(re.escape(name) + r"(?![A-Za-z])", lambda _, same=same: same, text)
    return text
