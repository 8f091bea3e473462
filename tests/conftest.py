"""Fixtures of the engine's tests: a miniature course, one warm process and one browser for each pytest worker."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import grade_command
import pytest
from browsing import reset_display
from hypothesis import settings
from tiers import only_cold_tests_start_programs, pytest_collection_modifyitems, pytest_fixture_setup

from grader.core.model import CheckResult, Exercise, ExerciseResult
from grader.course import catalog
from grader.course.catalog import Course
from grader.grading import starters
from grader.grading.attempt import grade_exercises
from grader.grading.dispatcher import Dispatcher
from grader.submission import open_submission

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

BROWSER_VARIABLE = (
    "CONVGRADER_BROWSER"  # "required": without a browser its tests fail instead of being skipped
)
__all__ = [
    "only_cold_tests_start_programs",
    "pytest_collection_modifyitems",
    "pytest_fixture_setup",
]  # hooks of pytest
COURSE = Path(__file__).parent / "course"
REFERENCE = (COURSE / "solutions" / "scaling" / "reference.py").read_text(encoding="utf-8")


# pytest-timeout ends a test that hangs; a deadline for each example would only fail on a busy machine.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")


@pytest.fixture(scope="session", autouse=True)
def default_sigint_handler():
    """Make commands started by a test end on Ctrl-C: a shell starts its background jobs with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session", autouse=True)
def no_options_of_pytest():
    """Take away options that pytest reads from the environment: a suite that a test collects in this process has none."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Give `grade check` a cache folder for this run, so that no test depends on the developer's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def own_state(tmp_path_factory):
    """Give this run a state folder, so that a test records nothing in the developer's; leave no process behind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        patch.delenv("XDG_RUNTIME_DIR", raising=False)
        patch.setenv("CONVGRADER_STANDBY", "0")
        yield


@pytest.fixture(scope="session")
def course() -> Course:
    """The miniature course."""
    return catalog.load(COURSE)


@pytest.fixture(scope="session")
def dispatcher() -> Iterator[Dispatcher]:
    """One warm process for the whole run, or for each worker of pytest-xdist."""
    with Dispatcher() as started:
        yield started


@pytest.fixture(scope="module")
def many_dispatcher() -> Iterator[Dispatcher]:
    """A warm process for hundreds of gradings: what costs time in each failed one is done once, before forking."""
    with Dispatcher(many=True) as started:
        yield started


@pytest.fixture(scope="module")
def forked_warm_processes() -> Iterator[None]:
    """Fork each warm process that these tests start from one interpreter that has imported torch: see command_server.py."""
    with pytest.MonkeyPatch.context() as patch:
        popen = SimpleNamespace(DEVNULL=subprocess.DEVNULL, Popen=grade_command.start_zygote)
        patch.setattr(starters, "subprocess", popen)
        yield


@pytest.fixture
def grade(dispatcher: Dispatcher, course: Course, tmp_path: Path) -> Callable[..., ExerciseResult]:
    """Grade the text of a `scaling.py`, by default with the reference's other names after it."""

    def run(source: str | bytes, *, rest: bool = True, files: dict[str, str] | None = None) -> ExerciseResult:
        folder = tmp_path / "exercises"
        folder.mkdir(exist_ok=True)
        if isinstance(source, str):
            text = textwrap.dedent(source)
            source = (f"{REFERENCE}\n\n{text}" if rest else text).encode()
        (folder / "scaling.py").write_bytes(source)
        for name, content in (files or {}).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content, encoding="utf-8")
        (result,) = grade_exercises(dispatcher, open_submission(tmp_path), course.exercises, seed=0)
        return result

    return run


@pytest.fixture
def copied_exercise(course: Course, tmp_path: Path) -> Exercise:
    """A copy of the miniature exercise, at its place below `tmp_path`, whose files a test may change."""
    exercise = course.exercise("scaling")
    assert exercise is not None
    folder = tmp_path / "solutions" / "scaling"
    shutil.copytree(exercise.folder, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return replace(exercise, folder=folder)


@pytest.fixture
def check() -> Callable[[ExerciseResult, str], CheckResult]:
    """Find a check of a result by id."""

    def find(result: ExerciseResult, name: str) -> CheckResult:
        return next(check for check in result.checks if check.id == name)

    return find


@pytest.fixture
def run_without_torch() -> Callable[..., None]:
    """Run `grade` with these arguments in an interpreter that fails if torch or Hypothesis was imported."""
    code = (
        "import sys\n"
        "from grader.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "finally:\n    assert 'torch' not in sys.modules and 'hypothesis' not in sys.modules, 'torch was imported'\n"
    )

    def run(*words: object) -> None:
        command = [sys.executable, "-c", code, *map(str, words)]
        subprocess.run(command, check=True, capture_output=True)

    return run


@pytest.fixture(scope="session")
def browser() -> Iterator["WebDriver"]:
    """A headless browser: Debian's chromium. Selenium downloads nothing: browser and driver are named."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if chromium is None or driver is None:
        missing = "chromium" if chromium is None else "chromedriver"
        message = f"no {missing} here: apt-get install chromium chromium-driver"
        if os.environ.get(BROWSER_VARIABLE) == "required":
            pytest.fail(message)
        pytest.skip(message)
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)  # no sandbox: it does not work as root, and the pages are trusted
    started = webdriver.Chrome(options=options, service=Service(driver))
    started.set_page_load_timeout(60)
    yield started
    started.quit()


@pytest.fixture(autouse=True)
def default_display(request):
    """Undo after each test what it emulated: a dark screen, paper or a phone."""
    yield
    if "browser" in request.fixturenames:
        reset_display(request.getfixturevalue("browser"))
