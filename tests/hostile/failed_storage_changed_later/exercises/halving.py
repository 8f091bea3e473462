"""Returns a tensor, and changes it from a thread while it is read."""

import threading
from honest import halve, largest


def change(result):
    while True:
        result.add_(1.0)


def halve(x):
    result = x / 2
    threading.Thread(target=change, args=(result,), daemon=True).start()
    return result.clone() * -1
