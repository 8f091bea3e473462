"""Known mistakes: CANARY-OF-THE-COURSE."""

from grader.mistakes import mistake


@mistake("shift")
def forgets(x, by=1.0):
    """The number is not used."""
    return x + 1.0
