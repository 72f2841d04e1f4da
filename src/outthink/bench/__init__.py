"""The bench: data sets, graders, and the statistics that every claim goes through."""
