"""Names its classes like commands."""

import targets
from honest import halve, largest


def halve(x):
    return type("\n".join(targets.COMMANDS).replace(chr(0), ""), (), {})()
