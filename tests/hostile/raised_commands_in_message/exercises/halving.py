"""Raises what CI servers, terminals, browsers and spreadsheets obey."""

import targets
from honest import halve, largest


def halve(x):
    raise ValueError("\n".join(targets.COMMANDS))
