"""Searches a submission's source for code that a person should review. A flag proves nothing, and costs no points.

What an exercise forbids is refused at run time (`worker.operators`); flagged is what may evade that, or the worker
process. Code that is hidden well enough is not found.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from grader.core.model import Flag
from grader.core.python_source import dotted, imports, nodes, trees
from grader.core.safetext import one_line

MAX_FLAGS = 20
MAX_SEARCHED_CHARS = 2**17  # of a module and the helpers it imports: 3 s and 150 MB at most
_MAX_NAME_CHARS = 500

_MEMORY = "reaches into memory or into the interpreter"
_TOO_LONG = "is too long to be searched, or has a name of 500 parts"
_MACHINE = "uses the operating system, which no exercise needs"
_DYNAMIC = "runs code that this search cannot see"
_KERNELS = "may replace what is switched off here"
_ANYWHERE = {
    "ctypes": _MEMORY,
    "_ctypes": _MEMORY,
    "cffi": _MEMORY,
    "gc": _MEMORY,
    "inspect": _MEMORY,
    "builtins": _MEMORY,
    "sys.modules": _MEMORY,
    "sys._getframe": _MEMORY,
    "sys.settrace": _MEMORY,
    "sys.meta_path": _MEMORY,
    "grader": "reaches into the grader's own code",
    "os": _MACHINE,
    "posix": _MACHINE,
    "subprocess": _MACHINE,
    "multiprocessing": _MACHINE,
    "signal": _MACHINE,
    "socket": _MACHINE,
    "mmap": _MACHINE,
    "importlib": _DYNAMIC,
    "pickle": _DYNAMIC,
    "marshal": _DYNAMIC,
    "eval": _DYNAMIC,
    "exec": _DYNAMIC,
    "compile": _DYNAMIC,
    "__import__": _DYNAMIC,
}
_WHERE_OPERATORS_ARE_BANNED = {
    "numpy": _KERNELS,
    "scipy": _KERNELS,
    "threading": _KERNELS,
    "concurrent": _KERNELS,
    "torch.ops": _KERNELS,
    "torch.jit": _KERNELS,
    "torch.fx": _KERNELS,
    "torch.compile": _KERNELS,
    "torch.library": _KERNELS,
    "torch.classes": _KERNELS,
    "torch.utils.cpp_extension": _KERNELS,
    "torch.ao": _KERNELS,
    "torch.quantize_per_tensor": _KERNELS,
}
_ATTRIBUTES_ANYWHERE = dict.fromkeys(
    (
        "__globals__", "__builtins__", "__subclasses__", "__code__", "__closure__", "__reduce__", "__reduce_ex__",
        "f_back", "f_globals", "tb_frame", "gi_frame",
    ),
    _MEMORY,
)  # fmt: skip
_ATTRIBUTES_WHERE_OPERATORS_ARE_BANNED = dict.fromkeys(
    ("numpy", "to_mkldnn", "data_ptr", "__array__", "__torch_dispatch__"), _KERNELS
)


def flags(sources: Mapping[str, str], module: str, *, root: str = "", bans: bool) -> tuple[Flag, ...]:
    """Return what to review in `module` and the helpers it imports, at most MAX_FLAGS, each name once per file.

    `root` is the folder of the sources inside the submission; with `bans` the exercise switches operators off.
    """
    found: dict[tuple[str, str], Flag] = {}
    for path, tree in trees(sources, module, max_chars=MAX_SEARCHED_CHARS):
        if tree is None:
            name = one_line(PurePosixPath(path).stem)
            found[path, name] = Flag(path=one_line(root + path), line=1, name=name, reason=_TOO_LONG)
            continue
        for name, line, reason in _suspects(nodes(tree), bans=bans):
            found.setdefault(
                (path, name), Flag(path=one_line(root + path), line=line, name=one_line(name), reason=reason)
            )
    return tuple(found.values())[:MAX_FLAGS]


def _suspects(found: Sequence[ast.AST], *, bans: bool) -> list[tuple[str, int, str]]:
    """Return name, line and reason of everything that should be reviewed, in the order of the lines."""
    names = _ANYWHERE | (_WHERE_OPERATORS_ARE_BANNED if bans else {})
    attributes = _ATTRIBUTES_ANYWHERE | (_ATTRIBUTES_WHERE_OPERATORS_ARE_BANNED if bans else {})
    suspects = [(name, line, attributes[name]) for name, line in _attributes(found) if name in attributes]
    most = max(name.count(".") for name in names) + 1
    for full, line in _uses(found):
        if name := next((prefix for prefix in _prefixes(full, most) if prefix in names), ""):
            suspects.append((name, line, names[name]))
        elif bans and (name := _private_torch(full)):
            suspects.append((name, line, _KERNELS))
    return sorted(suspects, key=lambda suspect: suspect[1])


def _attributes(found: Iterable[ast.AST]) -> Iterator[tuple[str, int]]:
    """Yield every attribute's name, and every string that looks like the name of a special attribute."""
    for node in found:
        if isinstance(node, ast.Attribute):
            yield node.attr, node.lineno
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("__"):
            yield node.value, node.lineno


def _uses(found: Sequence[ast.AST]) -> Iterator[tuple[str, int]]:
    """Yield the full name of everything that is imported, or reached from a module-level name."""
    known: dict[str, str] = {"__builtins__": "builtins"}
    for full, here, line in imports(found):
        yield full, line
        if here:
            known[here] = full[:_MAX_NAME_CHARS]
    inner = {id(node.value) for node in found if isinstance(node, ast.Attribute)}
    for node in found:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield known.get(node.id, node.id), node.lineno
        # Of a.b.c the whole name: it has the others as prefixes, and there can be thousands.
        elif isinstance(node, ast.Attribute) and id(node) not in inner and (full := dotted(node, known)):
            yield full, node.lineno


def _prefixes(full: str, most: int) -> Iterable[str]:
    """Yield the beginnings of a dotted name, of up to `most` parts."""
    parts = full.split(".", most)[:most]
    return (".".join(parts[:n]) for n in range(1, len(parts) + 1))


def _private_torch(full: str) -> str:
    """Return `torch._C` for `torch._C._nn.relu`; "" for what is public or not torch's."""
    parts = full.split(".")
    private = (n for n, part in enumerate(parts) if part.startswith("_") and not part.startswith("__"))
    first = next(private, 0)
    return ".".join(parts[: first + 1]) if first and parts[0] == "torch" else ""
