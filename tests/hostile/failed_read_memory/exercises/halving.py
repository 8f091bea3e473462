"""Searches every object of its process for a secret."""

import gc
from honest import halve, largest


def halve(x):
    word = "-OF-THE-".join(("CANARY", "COURSE"))
    for thing in gc.get_objects():
        if type(thing) in (dict, list, tuple) and any(type(part) is str and word in part for part in list(thing)):
            print("LEAK", word)
        if type(thing) is dict and any(type(part) is str and word in part for part in list(thing.values())):
            print("LEAK", word)
    return None
