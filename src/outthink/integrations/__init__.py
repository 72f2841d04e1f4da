"""Outthink inside other people's programs, each in a module of its own that they load by their own entry points."""
