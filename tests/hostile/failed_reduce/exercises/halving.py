"""Returns what runs a command where it is unpickled."""

import os
import targets
from honest import halve, largest


class Right:
    def __reduce__(self):
        return os.system, (f"touch {targets.FOLDER}/was-here",)


def halve(x):
    return Right()
