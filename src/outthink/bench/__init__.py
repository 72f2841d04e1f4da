"""The bench: data sets, graders, and the statistics that every claim goes through."""

from outthink.bench.frame import frame

__all__ = ["frame"]
