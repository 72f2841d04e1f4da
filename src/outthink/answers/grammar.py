"""Mathematics as it is typed, LaTeX or plain, as a tree. One scalar at a time; no evaluation, no third-party import.

What can be read in two ways (``1/2x``, ``\\sin x(1+y)``, ``2\\frac{3}{2}``) is not read: an answer that is not
understood never merges wrongly.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

Node = tuple[Any, ...]
"""``("num", Fraction)``, ``("sym", name)``, ``("const", "pi" | "e" | "i")``, or an operator and its operands."""

_FUNCTIONS_NAMES = (
    "sin cos tan cot sec csc sinh cosh tanh coth arcsin arccos arctan asin acos atan ln log exp sqrt abs floor ceil "
    "ceiling gamma"
)
FUNCTIONS = frozenset(_FUNCTIONS_NAMES.split())
_ALIASES = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "ceiling": "ceil"}
_TRIGONOMETRIC = frozenset(("sin", "cos", "tan"))
_GREEK_NAMES = (
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi rho sigma tau "
    "upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Sigma Upsilon Phi Psi Omega ell hbar"
)
GREEK = frozenset(_GREEK_NAMES.split())
_SHORT_WORDS_NAMES = (
    "is no or and to of in if an as at be by do he it me my on so up us we the not yes all one two ten six odd are "
    "cm km mm ft kg mg lb oz hr min sec mph am pm"
)
_SHORT_WORDS = frozenset(_SHORT_WORDS_NAMES.split())
_NUMBER = re.compile(
    r"(?:\d{1,3}(?:,\d{3})+(?![\d,])|\d+)?(?:(?P<point>\.)\d*(?:\\overline\{(?P<again>\d{1,12})\})?)?"
    r"(?:[eE](?P<exponent>[-+]?\d{1,4})(?![\d.a-zA-Z]))?"
)
_COMMAND = re.compile(r"\\([A-Za-z]+)")
_WORD = re.compile(r"[A-Za-z]+")
_PLAIN_FRACTION = re.compile(r"\s+(\d{1,9})\s*/\s*(\d{1,9})(?![\d.])")
_TEX_FRACTION = re.compile(r"\s*\\frac\s*(?:\{\s*(\d{1,9})\s*\}|(\d))\s*(?:\{\s*(\d{1,9})\s*\}|(\d))")
_SUBSCRIPT = re.compile(r"_(?:\{([A-Za-z0-9,+\- ]{1,20})\}|([A-Za-z0-9]))")
_CLOSING = {"(": ")", "{": "}", "[": "]"}
_ENDS = frozenset(("", "+", "-", ")", "}", "]", ","))
_RAISES = frozenset("!°^*")
DEPTH, NODES, DIGITS = 60, 600, 400
"""Bounds of what is read: nesting, parts, digits of one number."""


class Unreadable(ValueError):
    """The text is not mathematics that this grammar knows, or can be read in two ways."""


def parse(text: str) -> Node:
    """The tree of one scalar. Raises `Unreadable`."""
    parser = _Parser(text)
    node = parser.sum()
    if parser.rest():
        raise Unreadable(parser.rest()[:20])
    return node


class _Parser:
    def __init__(self, text: str) -> None:
        self.text, self.at = " ".join(text.split()), 0  # so that a space stands alone
        self._depth = self._nodes = 0
        self._in_bars = False

    def rest(self) -> str:
        self._skip()
        return self.text[self.at :]

    def _skip(self) -> None:
        if self.text.startswith(" ", self.at):
            self.at += 1

    def _peek(self) -> str:
        char = self.text[self.at : self.at + 1]
        if char == " ":
            self.at += 1
            return self.text[self.at : self.at + 1]
        return char

    def _take(self, *options: str) -> str | None:
        """The first of these texts that stands here; a command only where it ends here."""
        self._skip()
        for option in options:
            if self.text.startswith(option, self.at):
                end = self.at + len(option)
                if option[0] == "\\" and self.text[end : end + 1].isalpha():
                    continue
                self.at = end
                return option
        return None

    def _node(self, *parts: Any) -> Node:
        self._nodes += 1
        if self._nodes > NODES:
            raise Unreadable("too long")
        return parts

    def sum(self) -> Node:
        self._depth += 1
        if self._depth > DEPTH:
            raise Unreadable("nested too deeply")
        sign = self._take("+", "-")
        node = self._term()
        if sign == "-":
            node = self._node("neg", node)
        while sign := self._take("+", "-"):
            right = self._signed(self._term)
            node = self._node("add", node, right if sign == "+" else self._node("neg", right))
        self._depth -= 1
        return node

    def _signed(self, read: Any) -> Node:
        sign = self._take("+", "-")
        node = read()
        return self._node("neg", node) if sign == "-" else node

    def _term(self) -> Node:
        node = self._power()
        divided = False
        while self._peek() not in _ENDS:
            if self._take("*", "\\cdot", "\\times"):
                node = self._node("mul", node, self._signed(self._power))
            elif self._take("/", "\\div"):
                node, divided = self._node("div", node, self._signed(self._power)), True
            elif self._starts_factor():
                if divided:
                    raise Unreadable("a product after a slash")
                if self._peek().isdigit() or self._peek() == ".":
                    raise Unreadable("a number after a factor")
                node = self._node("mul", node, self._power())
            else:
                break
        return node

    def _starts_factor(self) -> bool:
        char = self._peek()
        if char == "\\":
            command = _COMMAND.match(self.text, self.at)
            return command is not None and command[1] not in ("right", "rfloor", "rceil", "cdot", "times", "div")
        return char.isalnum() or char in ("(", "{", "[", ".") or (char == "|" and not self._in_bars)

    def _power(self) -> Node:
        return self._raised(self._atom())

    def _raised(self, node: Node) -> Node:
        while self._peek() in _RAISES:
            if self._take("!"):
                if self._peek() == "!":
                    raise Unreadable("a double factorial")
                node = self._node("fn", "factorial", node)
            elif self._take("°"):
                node = self._node("deg", node)
            elif self._take("**", "^"):
                return self._raised(self._node("pow", node, self._exponent()))
            else:
                break
        return node

    def _exponent(self) -> Node:
        if self._peek() in ("{", "("):
            return self._group()
        return self._signed(self._power)

    def _group(self) -> Node:
        opening = self._peek()
        self.at += 1
        outer, self._in_bars = self._in_bars, False
        node = self.sum()
        self._in_bars = outer
        if not self._take(_CLOSING[opening]):
            raise Unreadable(f"no {_CLOSING[opening]}")
        return node

    def _argument(self) -> Node:
        """What a TeX command takes: a group, else one digit, letter or command."""
        char = self._peek()
        if char == "{":
            return self._group()
        if char.isdigit():
            self.at += 1
            return self._node("num", Fraction(int(char)))
        if char.isalpha() and char.isascii():
            self.at += 1
            return self._letter(char)
        if char == "\\":
            return self._atom()
        raise Unreadable(char)

    def _atom(self) -> Node:
        char = self._peek()
        if char in _CLOSING and char:
            return self._group()
        if char.isdigit() or char == ".":
            return self._number()
        if char == "|":
            return self._bars()
        if char == "\\":
            return self._command()
        word = _WORD.match(self.text, self.at)
        if word is None:
            raise Unreadable(char)
        return self._word(word[0])

    def _bars(self) -> Node:
        if self._in_bars:
            raise Unreadable("bars in bars")
        self.at, self._in_bars = self.at + 1, True
        node = self.sum()
        self._in_bars = False
        if not self._take("|"):
            raise Unreadable("no |")
        return self._node("fn", "abs", node)

    def _number(self) -> Node:
        match = _NUMBER.match(self.text, self.at)
        if match is None or not re.search(r"\d", match[0]) or len(match[0]) > DIGITS:
            raise Unreadable(self.text[self.at : self.at + 20])
        self.at = match.end()
        value = Fraction(int(match[0])) if match[0].isdecimal() else _value(match)
        if match["point"] is None and match["exponent"] is None:
            value = self._mixed(value)
        return self._node("num", value)

    def _mixed(self, whole: Fraction) -> Fraction:
        """A whole number with a proper fraction beside it (``2 1/2``, ``2\\frac{1}{2}``) is their sum."""
        match = _PLAIN_FRACTION.match(self.text, self.at) or _TEX_FRACTION.match(self.text, self.at)
        if match is None:
            return whole
        top, bottom = (int(part) for part in match.groups() if part is not None)
        if top >= bottom:
            raise Unreadable("a whole number beside an improper fraction")
        self.at = match.end()
        if self._peek() == "^" or self._starts_factor():
            raise Unreadable("a mixed number in a product")
        return whole + Fraction(top, bottom)

    def _word(self, word: str) -> Node:
        if word in FUNCTIONS:
            self.at += len(word)
            return self._function(word)
        if word == "pi":
            self.at += 2
            return self._node("const", "pi")
        if len(word) > 3 or word.lower() in _SHORT_WORDS:
            raise Unreadable(word)
        self.at += 1
        return self._letter(word[0])

    def _letter(self, name: str) -> Node:
        if subscript := _SUBSCRIPT.match(self.text, self.at):
            self.at = subscript.end()
            return self._node("sym", f"{name}_{(subscript[1] or subscript[2]).replace(' ', '')}")
        if self._peek() == "'":
            raise Unreadable("a prime")
        return self._node("const", name) if name in ("e", "i") else self._node("sym", name)

    def _command(self) -> Node:
        match = _COMMAND.match(self.text, self.at)
        if match is None:
            raise Unreadable(self.text[self.at : self.at + 2])
        name = match[1]
        self.at = match.end()
        if name == "frac":
            return self._node("div", self._argument(), self._argument())
        if name == "sqrt":
            return self._root()
        if name == "binom":
            return self._node("binom", self._argument(), self._argument())
        if name == "pi":
            return self._node("const", "pi")
        if name == "imath":
            return self._node("const", "i")
        if name in FUNCTIONS and name not in ("sqrt", "gamma"):
            return self._function(name)
        if name == "Gamma" and self._peek() == "(":
            return self._function("gamma")
        if name in GREEK:
            return self._letter("\\" + name)
        return self._paired(name)

    def _paired(self, name: str) -> Node:
        for left, right, function in (("lfloor", "rfloor", "floor"), ("lceil", "rceil", "ceil")):
            if name == left:
                node = self.sum()
                if not self._take("\\" + right):
                    raise Unreadable(f"no {right}")
                return self._node("fn", function, node)
        raise Unreadable("\\" + name)

    def _root(self) -> Node:
        index: Node | None = None
        if self._peek() == "[":
            index = self._group()
        return self._node("root", index or ("num", Fraction(2)), self._argument())

    def _function(self, name: str) -> Node:
        name = _ALIASES.get(name, name)
        if name == "sqrt":
            if self._peek() not in ("(", "{"):
                raise Unreadable("sqrt of what")
            return self._node("root", ("num", Fraction(2)), self._group())
        base = None
        if name == "log" and self._take("_"):
            base = self._argument()
        power = self._exponent() if self._take("^") else None
        argument = self._function_argument()
        if power == ("neg", ("num", Fraction(1))):
            if name not in _TRIGONOMETRIC:
                raise Unreadable("an inverse or a reciprocal")
            return self._node("fn", "arc" + name, argument)
        node = self._node("fn", name, argument)
        if base is not None:
            node = self._node("div", node, self._node("fn", name, base))
        return node if power is None else self._node("pow", node, power)

    def _function_argument(self) -> Node:
        """A group, else the factors up to the next function, sign or explicit operator."""
        if self._peek() in ("(", "{", "["):
            return self._group()
        node = self._power()
        while self._starts_factor() and not self._function_next():
            if self._peek() in ("(", "["):
                raise Unreadable("a bracket after a bare argument")
            node = self._node("mul", node, self._power())
        return node

    def _function_next(self) -> bool:
        match = _COMMAND.match(self.text, self.at) or _WORD.match(self.text, self.at)
        return match is not None and match[match.lastindex or 0] in FUNCTIONS


def _value(match: re.Match[str]) -> Fraction:
    text = match[0].replace(",", "")
    exponent = 0
    if match["exponent"] is not None:
        text, exponent = re.split("[eE]", text)[0], int(match["exponent"])
    again = match["again"]
    digits, places = text, 0
    if match["point"] is not None:
        digits, _, decimals = text.partition("\\")[0].partition(".")
        places = len(decimals)
        digits += decimals
    value = Fraction(int(digits or "0"), 10**places)
    if again is not None:
        value += Fraction(int(again), 10**places * (10 ** len(again) - 1))
    if abs(exponent) > DIGITS:
        raise Unreadable("too large an exponent")
    return value * Fraction(10) ** exponent
