"""Lists the folder of the course."""

import os
import targets
from honest import halve, largest


def halve(x):
    print("LEAK", os.listdir(targets.COURSE))
