"""The error tree in the docstring is the tree in the code."""

import re

from outthink.core import errors


def test_the_drawn_tree_is_the_real_one():
    lines = [line for line in errors.__doc__.split("\n") if "──" in line or line.strip() == "OutthinkError"]
    above = {0: "OutthinkError"}
    drawn = {}
    for line in lines[1:]:
        name = re.search(r"── (\w+)", line)
        depth = line.index("──") // 4
        drawn[name[1]] = above[depth - 1]
        above[depth] = name[1]
    real = {
        kind.__name__: kind.__bases__[0].__name__
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.OutthinkError) and kind is not errors.OutthinkError
    }
    assert drawn == real
