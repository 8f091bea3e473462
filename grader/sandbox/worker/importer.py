"""Imports a submission from memory: the worker needs none of the student's files, and may not open any."""

import importlib.abc
import importlib.machinery
import importlib.util
import linecache
import re
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType

from grader.sandbox.worker.allowed_imports import AllowedImports

# A line as Python's parser counts them: str.splitlines also ends one at a form feed, or at U+2028.
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")


class MemoryFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the modules of one submission. It is the last finder: no file of a student shadows a library."""

    def __init__(self, sources: Mapping[str, str], root: str = "") -> None:
        self._sources = {root + path: text for path, text in sources.items()}
        self._root = root
        self._allowed = AllowedImports(self._sources, lambda name: self.find_spec(name) is not None)
        self._builtins = self._allowed.builtins()
        for path, text in self._sources.items():
            # Tracebacks quote lines from here; without a modification time linecache does not look for the file.
            linecache.cache[path] = (len(text), None, _LINE.findall(text), path)

    def install(self) -> None:
        """Have the submission's modules found, and what they import decided."""
        sys.meta_path.append(self)
        self._allowed.install()

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - the protocol's signature
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec of a module of the submission, or None."""
        stem = self._root + name.replace(".", "/")
        for candidate, is_package in ((f"{stem}.py", False), (f"{stem}/__init__.py", True)):
            if candidate in self._sources:
                return importlib.util.spec_from_loader(name, self, origin=candidate, is_package=is_package)
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's source."""
        path = module.__spec__.origin if module.__spec__ else None
        assert path is not None
        module.__file__ = path
        module.__dict__["__builtins__"] = self._builtins
        exec(compile(self._sources[path], path, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - its purpose

    def load(self, name: str) -> ModuleType:
        """Import the submission's module `name`, even if a library has the same name."""
        spec = self.find_spec(name)
        if spec is None:
            raise ModuleNotFoundError(f"No module named {name!r} in this submission", name=name)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        self.exec_module(module)
        return module

    @property
    def files(self) -> frozenset[str]:
        """The paths of the submission, as tracebacks show them."""
        return frozenset(self._sources)
