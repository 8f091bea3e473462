"""Files and folders that systems and programs leave beside a student's work: the one list of them."""

_FOLDERS = {"__pycache__", "__macosx", "node_modules", "site-packages", "venv", "env"}
_FILES = {"thumbs.db", "ehthumbs.db", "desktop.ini"}
_BEGINNINGS = (
    ".",
    "~$",
)  # hidden: .DS_Store, ._relu.py, .git, .idea, .ipynb_checkpoints; a lock of an office program


def is_litter(name: str) -> bool:
    """Tell whether a file or folder of this name, one part of a path, is not a student's work."""
    return name.startswith(_BEGINNINGS) or name.casefold() in _FOLDERS | _FILES


def is_in_litter(path: str) -> bool:
    """Tell whether a path with slashes leads to litter, or into it."""
    return any(map(is_litter, path.split("/")))
