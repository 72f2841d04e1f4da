"""What runs in the warm parent and in the programs forked from it.

Standard library only, since a program must find nothing of ours worth finding: no secrets, no tests, no expected
values ever enter these processes, except that a checker (a process that never runs a program) holds the values it
compares.
"""
