"""Keeps imports working that suites of existing courses hold, and that the documentation once named.

`from grader.feedback.strategies import images` is `from grader.suite.strategies import images` today.
"""

import importlib.machinery
import importlib.util
import sys
from pathlib import Path

import grader

_OLD = {
    "grader.feedback": "suite"
}  # a package that is gone, and the folder of `grader` that holds its modules


def register() -> None:
    """Let this process import the old names. Only a process that imports suites calls it."""
    for old, folder in _OLD.items():
        spec = importlib.machinery.ModuleSpec(old, None, is_package=True)
        spec.submodule_search_locations = [str(Path(grader.__file__).parent / folder)]
        sys.modules.setdefault(old, importlib.util.module_from_spec(spec))
