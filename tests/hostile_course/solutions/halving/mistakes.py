"""Known mistakes: CANARY-OF-THE-COURSE."""

from grader.mistakes import mistake


@mistake("halve")
def doubles(x):
    """This doubles."""
    return 2 * x
