"""From text to canonical answers that can vote: what kind is asked for, where the answer is, when two are the same."""

from outthink.answers.canonical import canonical
from outthink.answers.extract import extract
from outthink.answers.kinds import kind_of
from outthink.answers.programs import program_in
from outthink.answers.solver import resolved, same, worked_out
from outthink.answers.votes import Votes

__all__ = ["Votes", "canonical", "extract", "kind_of", "program_in", "resolved", "same", "worked_out"]
