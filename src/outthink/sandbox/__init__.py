"""Running untrusted Python: `Sandbox`, what a program may use, and what came of it."""

from outthink.core.execution import Ended, Failure, Level, Limits, Outcome, Tested, Verdict
from outthink.sandbox.lazy import LazySandbox
from outthink.sandbox.probe import Capability, capabilities
from outthink.sandbox.room import Sandbox

__all__ = [
    "Capability", "Ended", "Failure", "LazySandbox", "Level", "Limits", "Outcome", "Sandbox", "Tested", "Verdict",
    "capabilities",
]  # fmt: skip
