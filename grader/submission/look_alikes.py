"""Files whose names are almost as asked, as browsers and mail programs save them: `relu (1).py`, `relu.py.txt`."""

import itertools
import re
from collections.abc import Iterable
from functools import lru_cache

MAX_NAME_CHARS = 100  # of a file whose name is looked at: the pattern below takes longer for longer ones
_COPY = r"(?:\s*\(\d{1,3}\)|\s*[-\u2013_ ]\s*(?:copy|kopie|copie|copia)(?:\s*\(?\d{1,3}\)?)?)*"
_NAME = re.compile(
    rf"(?:(?:copy of|kopie von|copie de|copia de)\s+)?(?P<stem>\w[\w -]*?){_COPY}\s*"
    rf"(?P<ending>\.(?:py|yaml|yml)){_COPY}(?:\.(?:py|txt|download)){{0,2}}{_COPY}"
)
_KEPT = "backups/"  # where `grade reset` puts what a student replaced: nothing of it is handed in
MAX_CANDIDATES = 20


@lru_cache(maxsize=4096)  # asked for each exercise
def usual_name(name: str) -> str:
    """Return how a file would be called if its name were as asked: `relu.py` for `Relu (1).py.txt`; "" for others."""
    found = _NAME.fullmatch(name.casefold()) if len(name) <= MAX_NAME_CHARS else None
    if found is None:
        return ""
    return re.sub(r"[ -]+", "_", found["stem"]) + found["ending"].replace(".yml", ".yaml")


def candidates(names: Iterable[str], wanted: str) -> list[str]:
    """Return the first MAX_CANDIDATES paths that may be the file `wanted`, such as `relu.py`."""
    key = wanted.casefold()
    found = (
        name for name in names if not name.startswith(_KEPT) and usual_name(name.rpartition("/")[2]) == key
    )
    return list(itertools.islice(found, MAX_CANDIDATES))
