"""Running untrusted Python: `Sandbox`, what a program may use, and what came of it."""

from outthink.sandbox.outcome import Ended, Failure, Level, Limits, Outcome, Tested, Verdict
from outthink.sandbox.probe import Capability, capabilities
from outthink.sandbox.room import Sandbox

__all__ = [
    "Capability", "Ended", "Failure", "Level", "Limits", "Outcome", "Sandbox", "Tested", "Verdict", "capabilities",
]  # fmt: skip
