"""Kinds of files by their ending: those that are hand-ins, and those that are handed in and not read."""

ARCHIVE_ENDINGS = frozenset({".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"})
NOTEBOOK_ENDING = ".ipynb"
MODULE_ENDING = ".py"
HAND_IN_ENDINGS = ARCHIVE_ENDINGS | {NOTEBOOK_ENDING, MODULE_ENDING}
UNREAD_ARCHIVES = frozenset({".rar", ".7z", ".gz"})
# What each is, in a sentence "x.rar is ...".
UNREAD_ENDINGS = {
    ".rar": "a RAR archive, which is not read. Ask for a zip",
    ".7z": "a 7-Zip archive, which is not read. Ask for a zip",
    ".gz": "a compressed file, which is not read. Ask for a zip",
    ".pdf": "a PDF, which is not graded. Ask for the Python files",
    ".doc": "a Word document, which is not graded. Ask for the Python files",
    ".docx": "a Word document, which is not graded. Ask for the Python files",
    ".odt": "a text document, which is not graded. Ask for the Python files",
}
_ALL = sorted({*HAND_IN_ENDINGS, *UNREAD_ENDINGS}, key=len, reverse=True)  # .tar.gz before .gz


def ending_of(name: str) -> str:
    """Return the ending of a file's name that is one of a known kind, in lower case; "" for any other."""
    folded = name.casefold()
    return next((ending for ending in _ALL if folded.endswith(ending) and folded != ending), "")


def without_ending(name: str) -> str:
    """Return a file's name without the ending of its kind."""
    return name[: len(name) - len(ending_of(name))]
