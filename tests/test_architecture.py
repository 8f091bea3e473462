"""The architecture: which package may import which, and which commands never import torch."""

import ast
import functools
import re
from pathlib import Path

import pytest

import grader

ROOT = Path(grader.__file__).parent
PAGE = (ROOT.parent / "docs" / "architecture.md").read_text(encoding="utf-8")

# What may import what inside the packages where it matters most; of the others only circles are refused.
INSIDE = {
    "sandbox": {
        "protocol": set(),
        "worker": {"protocol"},
        "last_words": set(),
        "supervisor": {"last_words", "protocol"},
        "spawned": {"protocol", "supervisor"},
        "diagnostics": {"protocol"},
    },
    "sandbox/worker": {
        "limits": set(),
        "linux": {"limits"},
        "allowed_imports": set(),
        "importer": {"allowed_imports"},
        "service": {"allowed_imports"},
        "seccomp": {"linux"},
        "landlock": {"linux"},
        "operators": {"service"},
        "lockdown": {"landlock", "linux", "seccomp"},
        "global_state": set(),
        "server": {"global_state", "importer", "service"},
        "process": {"linux", "lockdown", "operators", "server"},
        "cgroup": set(),
        "keeper": {"cgroup", "linux", "lockdown", "process"},
        "__main__": {"limits", "linux", "operators", "server"},
    },
    "grading": {
        "messages": set(),
        "engine": {"messages"},
        "zygote": {"engine", "messages"},
        "free_memory": set(),
        "spawn_starter": {"free_memory", "messages"},
        "starters": {"messages", "spawn_starter"},
        "standby": {"free_memory", "starters"},
        "dispatcher": {"messages", "standby", "starters"},
        "attempt": {"dispatcher", "messages"},
        "script_run": {"dispatcher", "messages"},
        "selection": {"attempt"},
        "api": {"attempt", "dispatcher", "messages", "selection"},
    },
    "grading/engine": {
        "proxy": set(),
        "source_flags": set(),
        "suite": {"proxy"},
        "feedback": {"proxy", "suite"},
        "explanation": {"feedback", "proxy", "suite"},
        "preparation": {"feedback", "proxy", "suite"},
        "sent_values": {"proxy"},
        "grading_process": {
            "explanation",
            "feedback",
            "preparation",
            "proxy",
            "sent_values",
            "source_flags",
            "suite",
        },
        "__main__": {"grading_process"},
    },
}
# A file outside the wings may import these: the entry, the faces of authors, the Python API and the hooks of IPython.
OUTSIDE = {
    "__init__": {"core", "grading", "workspace"},
    "__main__": {"cli"},
    "mistakes": {"course"},
    "suite": {"grading"},
}

MODULES = sorted(ROOT.rglob("*.py"))
PACKAGES = sorted(path.parent for path in ROOT.rglob("__init__.py"))


def wings() -> dict[str, set[str]]:
    """Return what each wing imports by the table of docs/architecture.md."""
    rows = re.findall(r"^\| `(\w+)` \| .* \| ([\w, -]+) \|$", PAGE, re.MULTILINE)
    return {name: {target for target in targets.split(", ") if target != "-"} for name, targets in rows}


@functools.cache
def imports(path: Path) -> tuple[tuple[str, ...], ...]:
    """Return the dotted names below `grader` that a module imports, wherever in it the import stands."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [imported.name for imported in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports name their module in full"
            names = [f"{node.module}.{imported.name}" for imported in node.names]
        else:
            continue
        for name in names:
            first, *rest = name.split(".")
            if first == "grader" and rest and rest != ["__version__"]:
                found.append(tuple(rest))
    return tuple(found)


def below(folder: Path) -> dict[str, set[str]]:
    """Return, for each module or package directly in a folder, which of its siblings it imports."""
    prefix = folder.relative_to(ROOT).parts
    found: dict[str, set[str]] = {}
    for path in folder.rglob("*.py"):
        name = path.relative_to(folder).parts[0].removesuffix(".py")
        targets = found.setdefault(name, set())
        for target in imports(path):
            if target[: len(prefix)] != prefix or len(target) <= len(prefix):
                continue
            sibling = target[len(prefix)]
            known = (folder / sibling).is_dir() or (folder / f"{sibling}.py").is_file()
            targets.add(sibling if known else "__init__")
        targets.discard(name)
    return found


def test_the_wings_import_what_the_page_says():
    found = below(ROOT)
    expected = wings() | OUTSIDE
    assert {name: targets for name, targets in found.items() if targets != expected.get(name)} == {}
    assert set(expected) == set(found)


@pytest.mark.parametrize("folder", INSIDE)
def test_a_package_inside_a_wing_imports_only_what_it_may(folder):
    found = below(ROOT / folder)
    found.pop("__init__")
    assert found == INSIDE[folder]


@pytest.mark.parametrize("folder", PACKAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_imports_form_a_circle(folder):
    waiting = below(folder)
    own = waiting.pop("__init__")  # what a package shows of its modules; they may not import it in turn
    if folder == ROOT:
        own = set()
    waiting["__init__"] = own
    done: set[str] = set()
    while waiting:
        free = [name for name, targets in waiting.items() if targets <= done]
        assert free, f"these import each other: {waiting}"
        done.update(free)
        waiting = {name: targets for name, targets in waiting.items() if name not in free}


def test_the_untrusted_side_imports_the_protocol_and_no_other_wing():
    for path in (ROOT / "sandbox" / "worker").rglob("*.py"):
        for target in imports(path):
            assert target[:2] in (("sandbox", "worker"), ("sandbox", "protocol")), f"{path}: {target}"


def test_a_name_of_a_class_means_one_thing():
    places: dict[str, list[str]] = {}
    for path in MODULES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name.lstrip("_"), []).append(path.relative_to(ROOT).as_posix())
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["list"], ["hint", "scaling"], ["run", "--help"]], ids=str
)
def test_a_command_that_grades_nothing_never_imports_torch(run_without_torch, arguments, monkeypatch):
    monkeypatch.setenv("CONVGRADER_COURSE", str(Path(__file__).parent / "course"))
    run_without_torch(*arguments)


def test_only_the_command_line_prints_or_exits():
    for path in MODULES:
        if path.relative_to(ROOT).parts[0] in ("cli", "__main__.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            name = getattr(called, "id", getattr(called, "attr", ""))
            assert name not in ("print", "echo", "exit"), f"{path.name}:{node.lineno} prints or exits"


def test_the_engine_knows_no_exercise_by_name():
    names = {path.stem for path in (ROOT.parent / "exercises").glob("*.py")}
    assert "pooling" in names, "the exercises are not where this test looks for them"
    for path in MODULES:
        strings = {
            n.value for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Constant)
        }
        assert not strings & names, path
