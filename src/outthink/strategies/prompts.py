"""The built-in prompts, by answer kind: an instruction for zero-shot, worked examples for few-shot.

What was compared, and with what result, is in benchmarks/prompts.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from outthink.core.problem import AnswerKind, Message, Problem, text_of

SHOTS = 4
"""How many worked examples there are for each kind, at most."""

_SHOWN_TESTS = 4000
"""Characters of tests that a prompt may show."""

AS_THEY_CAME: tuple[AnswerKind, ...] = ("text", "json", "tool_call")
"""Kinds whose form the caller set, or that have none: asked for without an instruction."""

_ZERO: dict[AnswerKind, str] = {
    "auto": "Think step by step. If there is one short answer, end with: The answer is <answer>.",
    "number": "Think step by step, then end with: The answer is <number>.",
    "choice": "Think step by step, then end with: The answer is (<letter>).",
    "boolean": "Think step by step, then end with: The answer is yes. or: The answer is no.",
    "code": "Reply with only the code, in one block, without comments or explanation.",
}
_RULE: dict[AnswerKind, str] = {
    "number": "Solve the problem in short steps with equations. End with: The answer is <number>.",
    "choice": "Solve the problem in short steps. End with: The answer is (<letter>).",
    "boolean": "Solve the problem in short steps. End with: The answer is yes. or: The answer is no.",
    "code": "",
}
_RULE_OTHER = "Solve the problem in short steps. End with: The answer is <answer>."
_ZERO_OTHER = "Think step by step, then end with: The answer is <answer>."

_NUMBERS = (
    (
        "A baker makes 4 trays of 6 rolls and sells 15. How many rolls are left?",
        "Rolls made: 4 * 6 = 24. Left: 24 - 15 = 9.\nThe answer is 9.",
    ),
    (
        "Tickets cost $5 for adults and half as much for children. What do 2 adults and 4 children pay, in dollars?",
        "Child ticket: 5 / 2 = 2.5. Adults: 2 * 5 = 10. Children: 4 * 2.5 = 10. Total: 10 + 10 = 20.\n"
        "The answer is 20.",
    ),
    (
        "A car uses 8 liters per 100 km. How many liters does it use for 350 km?",
        "Hundreds of km: 350 / 100 = 3.5. Liters: 3.5 * 8 = 28.\nThe answer is 28.",
    ),
    (
        "Ana had 37 stamps, gave 9 to Ben and then bought twice as many as she gave away. How many does she have now?",
        "After giving: 37 - 9 = 28. Bought: 2 * 9 = 18. Now: 28 + 18 = 46.\nThe answer is 46.",
    ),
)
_CHOICES = (
    (
        "Which of these is a prime number?\n(A) 21\n(B) 27\n(C) 29\n(D) 33",
        "21 = 3 * 7, 27 = 3 * 9, 33 = 3 * 11. Nothing but 1 and 29 divides 29.\nThe answer is (C).",
    ),
    (
        "Tom is taller than Ann. Ann is taller than Liz. Who is the shortest?\n(A) Tom\n(B) Ann\n(C) Liz",
        "From tall to short: Tom, Ann, Liz. The last is Liz.\nThe answer is (C).",
    ),
    (
        "A train leaves at 9:40 and arrives at 11:15. How long does it travel?\n(A) 95 minutes\n"
        "(B) 85 minutes\n(C) 115 minutes\n(D) 75 minutes",
        "From 9:40 to 10:40 is 60 minutes, to 11:15 another 35. 60 + 35 = 95.\nThe answer is (A).",
    ),
    (
        "Which word does not belong with the others?\n(A) apple\n(B) hammer\n(C) pear\n(D) plum",
        "Apple, pear and plum are fruit. A hammer is a tool.\nThe answer is (B).",
    ),
)
_BOOLEANS = (
    (
        "Yes or no: could a person walk from Paris to Madrid without crossing a sea?",
        "France and Spain share a land border. No sea lies between them.\nThe answer is yes.",
    ),
    (
        "True or false: every even number is divisible by 4.",
        "6 is even. 6 / 4 = 1.5 is not whole.\nThe answer is no.",
    ),
    (
        "Yes or no: did Mozart own a telephone?",
        "Mozart died in 1791. The telephone came in 1876.\nThe answer is no.",
    ),
    (
        "True or false: if all cats are animals and Tom is a cat, then Tom is an animal.",
        "Tom is a cat, and all cats are animals. So Tom is one.\nThe answer is yes.",
    ),
)
_PROGRAMS = (
    (
        "Write a function to count the vowels in a string. Name it vowels. Answer with Python code.\n"
        "It must pass this test:\nassert vowels('tree') == 2",
        "```python\ndef vowels(text):\n    return sum(c in 'aeiou' for c in text)\n```",
    ),
)
"""One is enough: it teaches a small model to write the code and nothing else."""
_EXAMPLES: dict[AnswerKind, tuple[tuple[str, str], ...]] = {
    "number": _NUMBERS,
    "choice": _CHOICES,
    "boolean": _BOOLEANS,
    "code": _PROGRAMS,
}
_MIXED = (_NUMBERS[0], _CHOICES[1], _BOOLEANS[1], _NUMBERS[2])


def few_shot(problem: Problem, shots: int) -> tuple[Message, ...]:
    """The conversation with so many worked examples; zero-shot where there are none to show.

    Kinds without examples of their own get a mixed set.
    """
    examples = _EXAMPLES.get(problem.answer_kind, _MIXED)[:shots]
    if not examples:
        return zero_shot(problem)
    return with_examples(problem, _RULE.get(problem.answer_kind, _RULE_OTHER), examples)


def with_examples(problem: Problem, rule: str, examples: Sequence[tuple[str, str]]) -> tuple[Message, ...]:
    """The conversation with worked examples as turns before its first question.

    The caller's system messages stay first; without any, one with the rule is put there, if there is a rule.
    """
    messages = problem.messages
    head = next((i for i, message in enumerate(messages) if message.get("role") != "system"), len(messages))
    turns: list[Message] = [{"role": "system", "content": rule}] if rule and not head else []
    for question, answer in examples:
        turns += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return (*messages[:head], *turns, *messages[head:-1], _complete(messages[-1], problem))


def zero_shot(problem: Problem) -> tuple[Message, ...]:
    """The conversation with an instruction after its last question."""
    return instructed(problem, _ZERO.get(problem.answer_kind, _ZERO_OTHER)).messages


def instructed(problem: Problem, instruction: str) -> Problem:
    """The problem with an instruction after its last question, its choices and tests listed."""
    last = _appended(_complete(problem.messages[-1], problem), instruction)
    return msgspec.structs.replace(problem, messages=(*problem.messages[:-1], last))


def _complete(message: Message, problem: Problem) -> Message:
    """The question with its choices and its tests, where it does not hold them already."""
    message = _with_choices(message, problem)
    tests = (problem.tests or "").strip()
    if not tests or len(tests) > _SHOWN_TESTS or tests in text_of(message):
        return message
    return _appended(message, f"It must pass these tests:\n{tests}")


def _with_choices(message: Message, problem: Problem) -> Message:
    if not problem.choices or all(choice in text_of(message) for choice in problem.choices):
        return message
    labelled = [
        choice if choice.startswith(("(", f"{chr(65 + i)})")) else f"({chr(65 + i)}) {choice}"
        for i, choice in enumerate(problem.choices)
    ]
    return _appended(message, "\n".join(labelled))


def _appended(message: Message, text: str) -> Message:
    """The message with a line more, other parts kept as they came."""
    content = message.get("content")
    if isinstance(content, list):
        return {**message, "content": [*content, {"type": "text", "text": text}]}
    return {**message, "content": f"{content}\n{text}"}
