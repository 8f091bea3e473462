"""Names of files for people: a file for each student of a class, on every disk and system.

A student's name comes from the name of a folder or a zip, and may be anything: too long once an ending is added, with
characters that another system refuses, equal to another's on a disk that makes no difference between A and a.
"""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

MAX_BYTES = 120  # of a name without its ending; encrypted disks allow 143 in all
_HASH_BYTES = 10
_REFUSED = re.compile(r'[<>:"/\\|?*\t\n]')  # by Windows, and two of them everywhere
_DEVICES = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|com[0-9\u00b9\u00b2\u00b3]|lpt[0-9\u00b9\u00b2\u00b3]) *(\..*)?",
    re.IGNORECASE,
)


def file_names(students: Iterable[str]) -> dict[str, str]:
    """Return the name of a file, without an ending, for each student.

    Usual names stay as they are. One that is no safe name of a file is changed and given a hash, and so is each of
    those that some disks do not tell apart.
    """
    wanted = list(dict.fromkeys(students))
    hashed = {student for student in wanted if not _is_safe(student)}
    while True:
        names = {student: _hashed(student) if student in hashed else student for student in wanted}
        count = Counter(map(_key, names.values()))
        alike = {student for student in wanted if count[_key(names[student])] > 1} - hashed
        if not alike:
            return names
        hashed |= alike


def _is_safe(name: str) -> bool:
    """Tell whether a name can be that of a file everywhere."""
    return (
        bool(name)
        and name.isprintable()
        and len(name.encode()) <= MAX_BYTES
        and not _REFUSED.search(name)
        and not _DEVICES.fullmatch(name)
        and name == name.strip().strip(".")  # a leading dot hides a file, and Windows drops one at the end
    )


def _key(name: str) -> str:
    """Return what is equal for names that some disks do not tell apart."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())


def _hashed(student: str) -> str:
    """Return the readable beginning of a name, and a hash of all of it."""
    data = student.encode("utf-8", "surrogatepass")
    readable = re.sub(r"[^\w-]+", "_", student)[:MAX_BYTES]
    ending = f"-{hashlib.blake2b(data, digest_size=_HASH_BYTES).hexdigest()}"
    beginning = readable.encode("utf-8", "ignore")[: MAX_BYTES - len(ending)].decode("utf-8", "ignore")
    return f"{beginning.strip('_')}{ending}".lstrip("-")
