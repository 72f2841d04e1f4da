"""What kind of answer a question asks for. Ordinary chat must not be taken for a number."""

import pytest

from outthink import Engine
from outthink.answers import kind_of
from outthink.core.problem import Problem
from outthink.models.fake import FakeModel
from outthink.models.script import Script

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
    "hi",
    "Thanks, that was great!",
    "ok, go on",
    "I feel a bit low today.",
    "What should I cook with 3 eggs and some rice?",
    "Recommend 2 or 3 novels by Austen.",
    "Rewrite this: we was going to the shop at 5.",
    "Who are you?",
    "What time zone should I use for a call between Berlin and Tokyo?",
    "How do I get better at chess?",
    "How long should I rest between sets of 10 push-ups?",
    "How much should I tip in the US?",
    "How old is too old to learn the piano at 40?",
    "What is the difference between a crow and a raven?",
    "What are the pros and cons of 4-day weeks?",
    "Is it ok to eat eggs every day?",
    "Which is better, tea or coffee?",
    "When did people start to bake bread?",
    "Where can I see northern lights in March?",
    "Tell me a story about 3 brothers and 1 dragon.",
    "Make that shorter, please.",
    "Now in the voice of a pirate.",
    "Explain the theory of relativity to a 10-year-old.",
    "What does 'out of the blue' mean?",
    "Give me feedback on my CV: 5 years at Acme, 2 at Globex.",
    "My plant has 2 yellow leaves, is it dying?",
    "Fix the grammar: he go to school 2 times.",
    "What's new in Python 3.12?",
    "Plan a weekend in Rome for 2 people with 300 euros.",
    "How does a heat pump work?",
    "What is your favourite colour?",
    "I have 2 cats and 1 dog, what names would suit them?",
    "How many words should my abstract have, and what goes into it? Suggest a structure.",
    "Who wrote 1984?",
    "Let's talk about music from the 80s.",
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


def test_there_are_fifty_chat_turns():
    assert len(set(CHAT)) == 50


@pytest.mark.anyio
@pytest.mark.parametrize("strategy", [None, "self-consistency(n=8)"], ids=["default", "voting"])
async def test_fifty_chat_turns_cost_fifty_calls(strategy):
    reply = "That is a good question, and there are 12 ways to see it. I would begin at home."
    model = FakeModel(Script(replies=(reply,)))
    async with Engine(model) as engine:
        results = [await engine.solve(question, strategy=strategy) for question in CHAT]
    assert model.books.calls == 50
    assert [len(result.candidates) for result in results] == [1] * 50
    assert {result.text for result in results} == {reply}
