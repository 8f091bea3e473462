"""Returns an object that runs a command when it is unpickled."""

import os
import targets
from honest import halve, largest


class Right:
    def __reduce__(self):
        return os.system, (f"touch {targets.FOLDER}/was-here",)


def halve(x):
    return Right()
