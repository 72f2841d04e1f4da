"""Mathematical answers: what stands around formulas (sets, tuples, intervals, matrices, relations, units, words).

``expression`` answers are equal when their keys are. The conventions, where graders differ:

- a bare list is unordered (``1, 2`` = ``2, 1`` = ``{1, 2}`` = ``x = 1 or x = 2``); a tuple is ordered;
- ``x = 5`` is ``5``; ``y = 5`` is an equation; equations and inequalities are equal to their multiples;
- ``(1, 2)`` is a pair and an open interval; ``[1, 2)``, ``[1, 2]`` are others;
- a comma groups thousands outside brackets (``1,000``), and separates inside them;
- a unit belongs to the answer (`units`), a base does too (``1011_2`` is not ``1011``);
- a decimal is exact (``0.333`` is not ``1/3``); ``2\\frac{1}{2}`` is 5/2; `\\log` names no base;
- what cannot be read, or can be read in two ways, is equal to the same text only.
"""

from __future__ import annotations

import re
from functools import lru_cache

from outthink.answers.evaluate import TooLarge, symbols_of
from outthink.answers.fingerprint import key_of, ratio_key
from outthink.answers.grammar import Node, Unreadable, parse
from outthink.answers.typeset import plain
from outthink.answers.units import KNOWN, unit_of

LONGEST = 1000
"""Characters of a mathematical answer; a longer one is compared as text."""
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?\s*([ap])?\.?(?:(?<=[apAP.])\s*m\.?)?", re.IGNORECASE)
_RATIO = re.compile(r"\d+(?::\d+)+")
_BASE = re.compile(r"0*([0-9A-F]+)_\{?(\d{1,2})\}?")
_UNIT = re.compile(
    r"(?P<value>.*?[\d)}\]°a-z])\s*(?:\\text\{(?P<text>[^{}]*)\}|(?<=[\d\s)}])(?P<known>(?:" + KNOWN + r")(?![A-Za-z])"
    r"(?:/[a-z]+)?)|\s(?P<words>[A-Za-z]{3,}(?: [A-Za-z]{3,}){0,3}))(?P<power>\^\{?[23]\}?)?\.?",
    re.DOTALL,
)
_MATRIX = re.compile(r"\\begin\{(?P<name>[pbBvV]?matrix|array)\}(?:\{[lcr|]*\})?(?P<cells>.*)\\end\{(?P=name)\}", re.S)
_RELATION = re.compile(r"<=|>=|!=|[=<>≤≥≠]|\\(?:leq?|geq?|neq?|lt|gt)(?![A-Za-z])")
_FLIPPED = {">": "<", "≥": "≤"}
_SIGNS = (
    {"<=": "≤", ">=": "≥", "!=": "≠"}
    | {
        "\\" + name: sign
        for name, sign in (("le", "≤"), ("leq", "≤"), ("ge", "≥"), ("geq", "≥"), ("ne", "≠"), ("neq", "≠"), ("lt", "<"))
    }
    | {"\\gt": ">"}
)
_MEMBER = re.compile(r"[A-Za-z]\s*(?:\\in(?![A-Za-z])|∈)\s*")
_OR = re.compile(r"\s*(?:,\s*)?(?:\\text\{\s*(?:or|and)\s*\}|\b(?:or|and)\b)\s*|;\s*")
_THOUSANDS = re.compile(r"(?<![\d.])\d{1,3}(?:,\d{3})+(?!\d)")
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")
_PRODUCT = re.compile(r"(?!a[mst]|my|up|us)[abcdkmnpqrstuvwxyz]{2}")
_INFINITE = re.compile(r"([-+]?)\s*(?:\\infty|infinity|\\text\{\s*infinity\s*\})", re.IGNORECASE)
_FUNCTION_OF_X = re.compile(r"f\s*\(\s*x\s*\)\s*=(?!=)")
_OPEN, _CLOSE = "([{", ")]}"


@lru_cache(maxsize=4096)
def expression(text: str) -> tuple[str, str]:
    """A mathematical answer's clean text and its key. Never raises; what is not understood keys as its text.

    A key starting with ``?`` may yet be worked out (`outthink.answers.solver`).
    """
    clean = plain(text)
    if not clean:
        return "", ""
    try:
        if len(clean) > LONGEST:
            raise TooLarge("too long")
        return clean, _key(clean)
    except TooLarge:
        return clean, "~" + _squeezed(clean)
    except (Unreadable, RecursionError):
        return clean, "?" + _squeezed(clean)


def without_unit(text: str) -> str:
    """The value of a text, as clean text, where a unit follows it."""
    clean = plain(text)[:LONGEST]
    match = _UNIT.fullmatch(clean)
    return match["value"] if match else clean


def _squeezed(text: str) -> str:
    """A text without the spaces that keep no two words or numbers apart."""
    return re.sub(r"(?<!\w)\s+|\s+(?!\w)", "", text)


def _key(text: str) -> str:
    text = _peeled(text.strip())
    if not text:
        raise Unreadable("nothing")
    if infinite := _INFINITE.fullmatch(text):
        return "-oo" if infinite[1] == "-" else "oo"
    if found := _notation(text):
        return found
    member = _MEMBER.match(text)
    if member and text[member.end() :]:
        return _key(text[member.end() :])
    pieces = _split(text, ("\\cup", "∪"))
    if len(pieces) > 1:
        return "u" + ";".join(sorted({_bracketed(piece.strip()) or _key(piece) for piece in pieces}))
    listed = _list(text)
    if len(listed) > 1:
        return _set([_key(piece) for piece in listed])
    if _RELATION.search(text):
        return _related(text)
    return _bracketed(text) or _matrix(text) or _signs(text) or _words(text) or _scalar(text)


def _peeled(text: str) -> str:
    """Without TeX braces around the whole, and without a leading approximation sign."""
    text = re.sub(r"^\\approx\s*", "", text)
    while text.startswith("{") and _closes(text) == len(text) - 1 and len(_split(text[1:-1], (",",))) == 1:
        text = text[1:-1].strip()
    return text


def _notation(text: str) -> str | None:
    """Times, ratios and numbers in another base, which are not formulas."""
    if text in ("\\emptyset", "\\varnothing", "∅", "\\{\\}"):
        return "{}"
    if ":" in text and (clock := _CLOCK.fullmatch(text.replace("\\text", "").translate({123: None, 125: None}))):
        hour, half = int(clock[1]), (clock[4] or "").lower()
        if half and 1 <= hour <= 12:
            hour, half = hour % 12 + 12 * (half == "p"), "h"
        elif hour > 12 and len(clock[1]) == 2:
            half = "h"
        return f"t{hour}:{clock[2]}:{clock[3] or '00'}{half}"
    if ":" in text and _RATIO.fullmatch(_squeezed(text)):
        return "r" + _squeezed(text)
    if "_" in text and (based := _BASE.fullmatch(_squeezed(text))):
        return f"b{int(based[2])}:{based[1]}"
    return None


def _closes(text: str) -> int:
    """Where the bracket that a text starts with ends; -1 where it does not."""
    depth = 0
    for place, char in enumerate(text):
        depth += (char in _OPEN) - (char in _CLOSE)
        if depth == 0:
            return place
    return -1


def _within(text: str, place: int) -> bool:
    """Whether a place is inside brackets."""
    return sum((char in _OPEN) - (char in _CLOSE) for char in text[:place]) != 0


def _split(text: str, signs: tuple[str, ...]) -> list[str]:
    """The parts of a text between these signs, outside brackets."""
    if not any(sign in text for sign in signs):
        return [text]
    parts, depth, start, place = list[str](), 0, 0, 0
    while place < len(text):
        char = text[place]
        depth += (char in _OPEN) - (char in _CLOSE)
        sign = next((sign for sign in signs if text.startswith(sign, place)), None) if depth == 0 else None
        if sign:
            parts.append(text[start:place])
            place = start = place + len(sign)
        else:
            place += 1
    return [*parts, text[start:]]


def _list(text: str) -> list[str]:
    """The elements of a bare list, the commas inside numbers left alone."""
    if not re.search("[,;]|or|and", text):
        return [text]
    text = _THOUSANDS.sub(lambda match: match[0].replace(",", "\0"), text)
    text = _OR.sub(lambda match: match[0] if _within(text, match.start()) else ",", text)
    pieces = [piece.replace("\0", ",").strip() for piece in _split(text, (",", ";"))]
    return [piece for piece in pieces if piece] if len(pieces) > 1 else pieces


def _set(keys: list[str]) -> str:
    return "{" + ";".join(sorted(keys)) + "}"


def _bracketed(text: str) -> str | None:
    """A set, a tuple or an interval; None for what is not wholly in brackets."""
    if text.startswith("\\{") and text.endswith("\\}"):
        inner = text[2:-2].strip()
        if _RELATION.search(inner) or "|" in inner or "\\mid" in inner:
            raise Unreadable("a set by its rule")
        return _set(list({_key(part) for part in _elements(inner)})) if inner else "{}"
    if text[:1] == "{" and _closes(text) == len(text) - 1 and len(_split(text[1:-1], (",",))) > 1:
        return _set(list({_key(part) for part in _elements(text[1:-1])}))
    if not text or text[0] not in "([" or text[-1] not in ")]" or _closes(text) != len(text) - 1:
        return None
    parts = _elements(text[1:-1])
    if len(parts) == 1:
        if text[0] == "(" and text[-1] == ")":
            return None
        if text[0] == "(" or text[-1] == ")":
            raise Unreadable("brackets that do not match")
        return f"[{_key(parts[0])}]"
    return text[0] + ";".join(_key(part) for part in parts) + text[-1]


def _elements(text: str) -> list[str]:
    parts = [part.strip() for part in _split(text, (",",))]
    if any(re.match(r"0\d", part) for part in parts[1:]) or not all(parts):
        raise Unreadable("a comma that groups digits, or separates them")
    return parts


def _matrix(text: str) -> str | None:
    match = _MATRIX.search(text)
    if match is None:
        return None
    around = (text[: match.start()].strip(), text[match.end() :].strip())
    if around not in (("", ""), ("(", ")"), ("[", "]")) or match["name"][0] in "vV":
        raise Unreadable("a determinant, or a matrix in a formula")
    rows = [row for row in match["cells"].split("\\\\") if row.strip()]
    return "m" + "/".join(";".join(_key(cell) for cell in row.split("&")) for row in rows)


def _signs(text: str) -> str | None:
    """``a \\pm b`` as the two values it stands for."""
    if "\\pm" not in text:
        return None
    if text.count("\\pm") > 1 or "\\mp" in text:
        raise Unreadable("several signs")
    return _set(list({_scalar(text.replace("\\pm", "+", 1)), _scalar(text.replace("\\pm", "-", 1))}))


def _words(text: str) -> str | None:
    """An answer in words, as its words in lower case; None for a formula."""
    if text.startswith("\\text{") and _closes(text[5:]) == len(text) - 6:
        inner = text[6:-1].strip()
        if len(inner) > 1 and not inner.startswith("\\text"):
            return _key(inner)
    if "\\" in text.replace("\\text", "").replace("\\$", ""):
        return None
    bare = text.replace("\\text", "").translate({123: None, 125: None})
    words = _WORD.findall(bare)
    long = [word for word in words if len(word) > 3 and word not in ("sqrt", "sinh", "cosh", "tanh")]
    if re.search(r"[-+*/^=<>|(\[]", bare) or not (long or (words and not re.search(r"\d", bare))):
        return None
    if _UNIT.fullmatch(text) and re.match(r"[-€£¥.\d]", text):
        return None
    if words == ["pi"] or _PRODUCT.fullmatch(bare):
        return None
    spoken = " ".join(re.sub(r"[^\w\s]", " ", bare).split())
    if len(spoken) > 3:
        spoken = " ".join(word for word in spoken.lower().split() if word not in ("a", "an", "the"))
    return "w" + spoken if spoken else None


def _scalar(text: str) -> str:
    unit = ""
    if text.startswith(("€", "£", "¥")):
        unit, text = text[0], text[1:]
    elif match := _UNIT.fullmatch(text):
        named = match["text"] or match["known"] or match["words"] or ""
        unit, text = unit_of(named + (match["power"] or "")), match["value"]
    text = re.sub(r"\\text\{([A-Za-z])\}", r"\1", text.rstrip("% "))
    node = _without_degrees(parse(text))
    return key_of(node) + (f" {unit}" if unit else "")


def _without_degrees(node: Node) -> Node:
    """A bare ``90°`` is 90; inside a formula a degree is what it is."""
    if node[0] == "deg":
        return node[1]
    if node[0] == "neg" and node[1][0] == "deg":
        return ("neg", node[1][1])
    return node


def _related(text: str) -> str:
    named = _FUNCTION_OF_X.match(text)
    if named and not _RELATION.search(text[named.end() :]):
        return _key(text[named.end() :])
    found: list[str] = _RELATION.findall(text)
    signs = [_SIGNS.get(sign, sign) for sign in found]
    sides = [side.strip() for side in _RELATION.split(text)]
    if not all(sides):
        raise Unreadable("half a relation")
    if set(signs) == {"="}:
        return _equation(sides)
    if len(sides) == 2:
        return _compared(sides[0], signs[0], sides[1])
    if all(sign in _FLIPPED for sign in signs):
        sides, signs = sides[::-1], [_FLIPPED[sign] for sign in signs[::-1]]
    if len(sides) == 3 and all(sign in ("<", "≤") for sign in signs):
        return f"c{_key(sides[0])}{signs[0]}{_key(sides[1])}{signs[1]}{_key(sides[2])}"
    raise Unreadable("such a chain")


def _equation(sides: list[str]) -> str:
    if sides[0] == "x":
        sides = sides[1:]
    elif sides[-1] == "x" and len(sides) == 2:
        sides = sides[:1]
    if len(sides) == 1:
        solved = _key(sides[0])
        if not solved.startswith(("e", "?")):
            return solved
        return _equated(("sym", "x"), parse(sides[0]))
    keys = {_key(side) for side in sides}
    if len(keys) == 1:
        return keys.pop()
    if len(sides) != 2:
        raise Unreadable("such a chain")
    return _equated(_without_degrees(parse(sides[0].rstrip("% "))), _without_degrees(parse(sides[1].rstrip("% "))))


def _equated(left: Node, right: Node) -> str:
    return "=0 " + ratio_key(("add", left, ("neg", right)), sided=False)


def _compared(left: str, sign: str, right: str) -> str:
    if sign in _FLIPPED:
        left, sign, right = right, _FLIPPED[sign], left
    one, other = parse(left), parse(right)
    if not symbols_of(one) and not symbols_of(other):
        raise Unreadable("a claim about numbers")
    return f"{sign}0 " + ratio_key(("add", one, ("neg", other)), sided=sign != "≠")
