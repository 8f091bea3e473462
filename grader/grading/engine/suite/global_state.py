"""Restores the globals of a suite's modules before the next submission is graded in the same process.

A suite may store in one check what a later one needs. Restored are the names of its modules, and the items of lists,
dicts, sets and deques among them; not what is nested deeper.
"""

import copy
from collections import deque
from collections.abc import Iterable
from typing import Any

Namespace = dict[str, Any]

_CONTAINERS = (dict, list, set, deque)


class Globals:
    """The globals of some modules as they are now."""

    def __init__(self, spaces: Iterable[Namespace]) -> None:
        """Remember them; `spaces` are the modules' own dicts."""
        self._kept = [(space, dict(space), _contents(space)) for space in spaces]

    def put_back(self) -> None:
        """Restore them."""
        for space, names, contents in self._kept:
            for name in space.keys() - names.keys():
                del space[name]
            space.update(names)
            for name, content in contents.items():
                _refill(names[name], content)


def _contents(space: Namespace) -> dict[str, Any]:
    own = {name: value for name, value in space.items() if not name.startswith("__")}
    return {name: copy.copy(value) for name, value in own.items() if isinstance(value, _CONTAINERS)}


def _refill(container: Any, content: Any) -> None:
    container.clear()
    fill = container.extend if isinstance(container, (list, deque)) else container.update
    fill(content)
