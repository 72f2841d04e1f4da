"""What a judge is told. The question and what counts come first, in the same words for every candidate of a question,
so that a server reads them once; the candidates come last, fenced as data, and after them one line of ours.
"""

from __future__ import annotations

from outthink.answers.quoting import quoted, quoted_question
from outthink.core.problem import Problem

RUBRIC = (
    "An answer is good when it does what the question asks, what it says is correct, each step follows from what came "
    "before, and its final result is right."
)
YES_NO = "Is the answer correct, by what counts above? Say one word, yes or no."
SCALE = "How good is the answer? Say one whole number from 1 (wrong or useless) to 10 (right in every part)."
PAIR = "Which answer is better? Say one number, 1 or 2."
CRITIQUE = (
    "In at most three short sentences: what is wrong with the answer, and how could it be mended? If nothing is wrong, "
    "say that it is right."
)
STEPS = (
    "The answer's steps are numbered. Check them in order. For each step write one line that begins with its number, "
    'checks it in a few words, and ends with yes if it is right or no if it is wrong, for example "Step 1: 2 + 3 is 5, '
    'yes". Stop after the first step that is wrong.'
)


def opening(problem: Problem, rubric: str) -> str:
    """The beginning that all prompts about a question share."""
    return (
        f"You are a careful and impartial judge.\n\n{quoted_question(problem)}\n\nWhat counts: {rubric or RUBRIC}\n\n"
    )


def about(answer: str, ask: str) -> str:
    """What follows the opening for one answer."""
    return f"{quoted('The answer', answer)}\n\n{ask}"


def about_two(first: str, second: str) -> str:
    """What follows the opening for two answers, in this order."""
    return f"{quoted('Answer 1', first)}\n\n{quoted('Answer 2', second)}\n\n{PAIR}"
