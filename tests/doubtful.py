"""A scripted model that grows unsure in the middle of some of its chains."""

from outthink.models.script import Said, Script

SURE = "so " * 60 + "The answer is 49."
DOUBT = "so " * 40 + "um " * 200 + "The answer is 48."
STOP_AT = 50
"""Tokens of ``DOUBT``, by hand: the mean of 32 passes -1 with the tenth at -3 among those at -0.2."""
WHOLE = {text: len(text.split()) for text in (SURE, DOUBT)}


class Doubtful(Script):
    """A script that is unsure of every ``um``."""

    def say(self, messages, seed, max_tokens, stop=()):
        said = super().say(messages, seed, max_tokens, stop)
        return Said(said.tokens, tuple(-3.0 if "um" in t else -0.2 for t in said.tokens), said.finish)
