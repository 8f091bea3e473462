"""Searches a submission's source for code that a person should review. A flag proves nothing, and costs no points.

What an exercise forbids is refused at run time (`worker.operators`); flagged is what may evade that, or the worker
process. Code that is hidden well enough is not found. Of a submission so much is read as takes a second; what is not
read is flagged as such.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence

from grader.core.model import Flag
from grader.core.python_source import (
    MAX_PARSED_CHARS,
    TooComplex,
    dotted,
    imports,
    nodes,
    parse,
    parse_strictly,
    reached,
)
from grader.core.safetext import one_line
from grader.sandbox.protocol.messages import Setting

MAX_FLAGS = 20
UNREAD = "not reviewed"
MAX_REVIEWED_CHARS = MAX_PARSED_CHARS  # of the module and all its helpers

_MEMORY = "reaches into memory or into the interpreter"
_MACHINE = "uses the operating system, which no exercise needs"
_DYNAMIC = "runs code that this search cannot see"
_KERNELS = "may replace what is switched off here"
_HIDDEN = "is used as a value, so this search cannot see what of it is used"
_ANYWHERE = {
    **dict.fromkeys(("ctypes", "_ctypes", "cffi", "gc", "inspect", "builtins", "dis", "tracemalloc"), _MEMORY),
    **dict.fromkeys(
        ("sys.modules", "sys.settrace", "sys.setprofile", "sys.addaudithook", "sys.monitoring", "sys.meta_path",
         "sys.path_hooks", "sys.path_importer_cache", "sys.exc_info", "sys.last_traceback", "sys.__dict__",
         "weakref.finalize", "traceback.walk_stack", "traceback.walk_tb", "threading.settrace", "threading.setprofile",
         "types.FunctionType", "types.CodeType", "types.FrameType"),
        _MEMORY,
    ),
    "grader": "reaches into the grader's own code",
    **dict.fromkeys(
        ("os", "posix", "subprocess", "multiprocessing", "torch.multiprocessing", "signal", "socket", "mmap", "fcntl",
         "resource", "faulthandler"),
        _MACHINE,
    ),
    **dict.fromkeys(
        ("importlib", "pickle", "marshal", "runpy", "pkgutil", "zipimport", "code", "codeop", "eval", "exec", "compile",
         "__import__", "globals", "vars", "torch.load", "torch.hub", "torch.package"),
        _DYNAMIC,
    ),
}  # fmt: skip
_WHERE_OPERATORS_ARE_BANNED = dict.fromkeys(
    (
        "numpy", "scipy", "threading", "concurrent", "torch.__dict__", "torch.ops", "torch.jit", "torch.fx",
        "torch.compile", "torch.export", "torch.onnx", "torch.library", "torch.classes", "torch.overrides",
        "torch.utils.cpp_extension", "torch.utils.mkldnn", "torch.utils.dlpack", "torch.from_dlpack",
        "torch.from_numpy", "torch.from_file", "torch.frombuffer", "torch.ao", "torch.quantization",
        "torch.nested", "torch.masked", "torch.sparse", "torch.nn.quantized", "torch.nn.quantizable",
        "torch.nn.intrinsic", "torch.nn.qat",
        "torch.quantize_per_tensor", "torch.quantize_per_tensor_dynamic", "torch.quantize_per_channel",
        "torch.dequantize", "torch.quint8", "torch.qint8", "torch.qint32", "torch.quint4x2", "torch.quint2x4",
    ),
    _KERNELS,
)  # fmt: skip
_ATTRIBUTES_ANYWHERE = dict.fromkeys(
    (
        "__globals__", "__builtins__", "__subclasses__", "__code__", "__closure__", "__reduce__", "__reduce_ex__",
        "__self__", "__loader__", "__spec__", "f_back", "f_globals", "f_locals", "f_builtins", "f_code", "tb_frame",
        "gi_frame", "gi_code", "cr_frame", "ag_frame",
    ),
    _MEMORY,
)  # fmt: skip
_ATTRIBUTES_WHERE_OPERATORS_ARE_BANNED = dict.fromkeys(
    (
        "numpy", "to_mkldnn", "to_sparse", "to_sparse_csr", "to_padded_tensor", "int_repr", "dequantize", "data_ptr",
        "__array__", "__dlpack__", "__torch_dispatch__", "__torch_function__",
    ),
    _KERNELS,
)  # fmt: skip
_SETTINGS: dict[Setting, str] = {
    "gradients": "leaves gradients switched off, or on, for all code that runs later: write `with torch.no_grad():`",
    "default dtype": "leaves another default dtype behind for all code that runs later: give dtype= where it is needed",
}
_BUILTINS = {"eval", "exec", "compile", "__import__", "globals", "vars"}
# Modules by which a name may be reached through another module: `traceback.sys.modules`, `F.torch.nested`.
_ROOTS = {name.partition(".")[0] for name in (*_ANYWHERE, *_WHERE_OPERATORS_ARE_BANNED)}
_ROOTS -= _BUILTINS | {"code", "signal"}  # torch has a module `signal` of its own
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_MAX_PARTS = 64  # of a dotted name: what follows is not looked at


def flags(sources: Mapping[str, str], module: str, *, root: str = "", bans: bool) -> tuple[Flag, ...]:
    """Return what to review in `module` and the helpers it imports, at most MAX_FLAGS, each name once per file.

    `root` is the folder of the sources inside the submission; with `bans` the exercise switches operators off. What is
    too long or nested too deeply to be read gets a flag that says so.
    """
    found: dict[tuple[str, str], Flag] = {}
    left = MAX_REVIEWED_CHARS

    def add(path: str, line: int, name: str, reason: str) -> None:
        flag = Flag(path=one_line(root + path), line=line, name=one_line(name), reason=reason)
        found.setdefault((path, name), flag)

    def review(path: str) -> Iterator[str]:
        """Add the flags of one file; yield the names of what it imports."""
        nonlocal left
        try:
            tree = parse_strictly(sources[path], left)
        except TooComplex as why:
            add(path, 1, UNREAD, f"{why}, so what it does and imports was not reviewed")
            return
        left -= len(sources[path])
        if tree is None:
            return  # it cannot run either, and its check says so
        all_nodes = nodes(tree)
        for name, line, reason in _suspects(all_nodes, bans=bans):
            add(path, line, name, reason)
        yield from (name for name, _, _ in imports(all_nodes))

    for _ in reached(sources, module, review):
        continue
    # What was not read comes first: the number of flags is limited.
    return tuple(sorted(found.values(), key=lambda flag: flag.name != UNREAD))[:MAX_FLAGS]


def setting_flags(
    changed: Iterable[tuple[str, Setting]], sources: Mapping[str, str], path: str, *, root: str = ""
) -> tuple[Flag, ...]:
    """Return a flag for each function and setting of the process that it left changed, as its calls have shown."""
    tree = parse(sources.get(path, ""))
    lines = {node.name: node.lineno for node in tree.body if isinstance(node, _DEFINITIONS)} if tree else {}
    return tuple(
        Flag(
            path=one_line(root + path),
            line=lines.get(name, 1),
            name=one_line(name),
            reason=_SETTINGS[setting],
        )
        for name, setting in sorted(changed)
    )


def _suspects(found: Sequence[ast.AST], *, bans: bool) -> list[tuple[str, int, str]]:
    """Return name, line and reason of everything that should be reviewed, in the order of the lines."""
    names = _ANYWHERE | (_WHERE_OPERATORS_ARE_BANNED if bans else {})
    attributes = _ATTRIBUTES_ANYWHERE | (_ATTRIBUTES_WHERE_OPERATORS_ARE_BANNED if bans else {})
    suspects = [
        (name, line, attributes[name])
        for name, line, is_text in _attributes(found)
        if name in attributes and (not is_text or "_" in name)  # "numpy" may be any word
    ]
    whole = ("sys", "torch") if bans else ("sys",)
    for full, line, is_value in _uses(found):
        if is_value and full in whole:
            suspects.append((full, line, _HIDDEN))
        for name, reason in _matches(full, names, bans=bans):
            suspects.append((name, line, reason))
    return sorted(suspects, key=lambda suspect: suspect[1])


def _matches(full: str, names: Mapping[str, str], *, bans: bool) -> Iterator[tuple[str, str]]:
    """Yield the names to review that a full name holds, from its start or from a module inside it."""
    parts = full.split(".", _MAX_PARTS)[:_MAX_PARTS]
    for start in range(len(parts)):
        if start and parts[start] not in _ROOTS:
            continue
        prefixes = [".".join(parts[start:end]) for end in range(start + 1, min(start + 4, len(parts)) + 1)]
        if name := next((prefix for prefix in prefixes if prefix in names), ""):
            yield name, names[name]
        elif name := _private(prefixes, bans=bans):
            yield name, _KERNELS if name.startswith("torch.") else _MEMORY


def _attributes(found: Iterable[ast.AST]) -> Iterator[tuple[str, int, bool]]:
    """Yield every attribute's name, and every string, which may be given to getattr."""
    for node in found:
        if isinstance(node, ast.Attribute):
            yield node.attr, node.lineno, False
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value, node.lineno, True


def _uses(found: Sequence[ast.AST]) -> Iterator[tuple[str, int, bool]]:
    """Yield the full name of everything that is imported, or reached from a module-level name, and its line.

    Last is whether it is a name by itself, of which no attribute is taken.
    """
    known: dict[str, str] = {"__builtins__": "builtins"}
    star = ""
    for full, here, line in imports(found):
        yield full, line, False
        if here == "*":
            yield full.removesuffix(".*"), line, True
            star = "torch.nn." if full == "torch.nn.*" else star
        elif here:
            known[here] = full
    inner = {id(node.value) for node in found if isinstance(node, ast.Attribute)}
    for node in found:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            if node.id in known or node.id in _BUILTINS:
                yield known.get(node.id, node.id), node.lineno, id(node) not in inner
            elif star:
                yield star + node.id, node.lineno, False
        elif isinstance(node, ast.Attribute) and id(node) not in inner and (full := dotted(node, known)):
            yield full, node.lineno, False


def _private(prefixes: Sequence[str], *, bans: bool) -> str:
    """Return `torch._C` for `torch._C._nn.relu`, `sys._getframe`; "" for what is public, or not theirs."""
    for name in prefixes:
        start, _, last = name.rpartition(".")
        of_torch = bans and name.startswith("torch.")
        if (of_torch or start == "sys") and last.startswith("_") and not last.startswith("__"):
            return name
    return ""
