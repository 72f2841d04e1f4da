"""What kind of answer a question asks for. Ordinary chat must not be taken for a number."""

import pytest

from outthink.answers import kind_of
from outthink.core.problem import Problem

ASKED = [
    ("How many days are there in 7 weeks?", "number"),
    ("A shop sells pens at 3 for $2. How much do 18 pens cost, in dollars?", "number"),
    ("What is 17 * 24?", "number"),
    ("Calculate 15% of 80.", "number"),
    ("What is the area of a square of side 5?", "number"),
    ("Is a whale a fish? Answer yes or no.", "boolean"),
    ("True or false: 7 is prime.", "boolean"),
    ("Which is prime?\n(A) 4\n(B) 7\n(C) 9", "choice"),
    ("Which is prime?\nA) 4\nB) 7", "choice"),
]
CHAT = [
    "How are you today?",
    "Tell me about the Roman empire.",
    "How much do you like jazz?",
    "How much of an issue is it if my laptop is at 95 degrees?",
    "Write a poem of 12 lines about spring.",
    "Can you explain what 2FA is?",
    "What is the best way to learn 3D modelling?",
    "Why did the 1929 crash happen?",
    "My flight is at 9:40, what should I do before?",
    "Please help me with chapter 4 of my thesis.",
    "What is love?",
    "Give me 5 ideas for a birthday party.",
    "Summarise this text in 100 words.",
    "Translate 'good morning' into French.",
    "Who won the world cup in 1998?",
]


@pytest.mark.parametrize(("question", "kind"), ASKED)
def test_a_question_with_one_answer_is_seen(question, kind):
    assert kind_of(Problem.of(question)) == kind


@pytest.mark.parametrize("question", CHAT)
def test_an_ordinary_chat_turn_is_text(question):
    assert kind_of(Problem.of(question)) == "text"


def test_what_the_caller_gives_decides_first():
    message = ({"role": "user", "content": "How many days are there in 7 weeks?"},)
    assert kind_of(Problem(messages=message, answer_kind="text")) == "text"
    assert kind_of(Problem(messages=message, tools=({"type": "function"},))) == "tool_call"
    assert kind_of(Problem(messages=message, params={"response_format": {"type": "json_object"}})) == "json"
    assert kind_of(Problem(messages=message, tests="assert f(1) == 2")) == "code"
    assert kind_of(Problem(messages=message, choices=("7", "49"))) == "choice"
