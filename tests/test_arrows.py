"""The house: which room may import which, and who never pays for torch."""

import ast
from pathlib import Path

import pytest

import grader

ROOT = Path(grader.__file__).parent

ARROWS = {
    "errors": set(),
    "safetext": set(),
    "model": set(),
    "spelling": set(),
    "blame": {"errors", "safetext"},
    "packing": set(),
    "mistakes": {"errors"},
    "jobs": {"errors", "model"},
    "scoring": {"model"},
    "reveal": {"errors", "model", "spelling"},
    "source": set(),
    "reliance": {"model", "source"},
    "review": {"model", "safetext", "source"},
    "document": {"errors", "safetext", "spelling"},
    "submission": {"errors"},
    "wire": {"errors"},
    "service": {"wire"},
    "worker": {"wire", "service", "mistakes"},
    "sandbox": {"errors", "model", "wire"},
    "proxy": {"errors", "model", "sandbox", "wire"},
    "suite": {"blame", "errors", "model", "proxy", "reveal", "service"},
    "feedback": {"mistakes", "model", "proxy", "safetext", "service", "suite", "wire"},
    "explanation": {"feedback", "mistakes", "model", "proxy", "sandbox", "suite"},
    "grading": {
        "blame", "errors", "explanation", "feedback", "jobs", "model", "proxy", "review", "safetext", "sandbox", "scoring",
        "service", "suite", "wire",
    },
    "zygote": {"grading", "jobs", "mistakes", "service", "suite", "wire", "worker"},
    "dispatch": {"errors", "jobs", "model", "sandbox", "wire"},
    "catalog": {"document", "errors", "model"},
    "quiz": {"document", "errors", "model", "safetext", "spelling"},
    "doctor": {"model", "wire"},
    "writing": set(),
    "kept": {"errors", "writing"},
    "replays": {"errors", "fingerprint", "model", "safetext", "source", "writing"},
    "hints": {"errors", "kept", "model"},
    "workspace": {"catalog", "errors", "model", "quiz"},
    "report": {"model", "safetext", "scoring"},
    "quiz_page": {"quiz", "report"},
    "content": {
        "blame", "catalog", "dispatch", "document", "errors", "fingerprint", "jobs", "mistakes", "model", "packing", "quiz", "quiz_page",
        "reveal", "safetext", "source", "spelling", "workspace", "writing",
    },
    "attempt": {"catalog", "dispatch", "errors", "jobs", "model", "quiz", "scoring", "submission"},
    "watch": {"attempt", "catalog", "dispatch", "jobs", "model", "source", "submission"},
    "notebook": {"attempt", "catalog", "dispatch", "errors", "jobs", "model", "report", "reveal", "spelling", "submission"},
    "progress": {"attempt", "errors", "fingerprint", "kept", "model", "quiz", "reveal", "submission", "watch"},
    "checkout": {"submission"},
    "handed_in": {"checkout", "errors", "submission"},
    "fingerprint": {"model", "reliance"},
    "policy": {"model"},
    "gradebook": {"errors", "model", "report"},
    "export": {"catalog", "errors", "model", "packing", "quiz", "safetext"},
    "host": {"catalog", "dispatch", "fingerprint", "jobs", "model"},
    "executors": {"errors", "host", "safetext"},
    "batch": {
        "attempt", "catalog", "errors", "fingerprint", "gradebook", "handed_in", "host", "jobs", "model", "scoring",
        "submission",
    },
    "similarity": {"errors", "fingerprint", "gradebook", "handed_in", "model", "source", "submission"},
    "statistics": {"catalog", "errors", "fingerprint", "gradebook", "mistakes", "model", "policy", "quiz", "similarity"},
    "class_report": {"model", "policy", "report", "safetext", "similarity", "statistics"},
    "cli": {
        "attempt", "batch", "catalog", "class_report", "content", "dispatch", "doctor", "errors", "executors", "export", "gradebook",
        "handed_in", "hints", "jobs", "model", "policy", "progress", "quiz", "quiz_page", "replays", "report", "reveal", "safetext", "scoring",
        "similarity", "statistics", "spelling", "submission", "watch", "workspace", "writing",
    },
}  # fmt: skip

MODULES = sorted(path for path in ROOT.rglob("*.py") if "course" not in path.relative_to(ROOT).parts)


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    """Return the rooms a module imports, wherever in it the import stands."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[1] for name in node.names if name.name.startswith("grader.")}
        elif isinstance(node, ast.ImportFrom) and node.module == "grader":
            found |= {name.name for name in node.names if not name.name.startswith("_")}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("grader."):
            found.add(node.module.split(".")[1])
    return found - {room(path)}


@pytest.mark.parametrize(
    "path", [m for m in MODULES if room(m) not in ("__init__", "__main__")], ids=lambda p: p.stem
)
def test_a_room_imports_only_what_its_arrows_allow(path):
    assert imported_rooms(path) <= ARROWS[room(path)], f"{path.relative_to(ROOT)} looks up or sideways"


def test_no_arrow_points_back():
    seen: list[str] = []
    waiting = dict(ARROWS)
    while waiting:
        free = [name for name, targets in waiting.items() if targets <= set(seen)]
        assert free, f"these rooms import each other: {sorted(waiting)}"
        seen += free
        waiting = {name: targets for name, targets in waiting.items() if name not in free}


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["list"], ["hint", "scaling"], ["run", "--help"]], ids=str
)
def test_a_command_that_grades_nothing_never_imports_torch(run_without_torch, arguments, monkeypatch):
    monkeypatch.setenv("CONVGRADER_COURSE", str(Path(__file__).parent / "course"))
    run_without_torch(*arguments)


def test_only_the_command_line_prints_or_exits():
    for path in MODULES:
        if room(path) in ("cli", "__main__"):
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
