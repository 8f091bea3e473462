"""The warm process that stays behind: who may use it, what it holds, and when it ends."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner

from grader.authoring.reference_submissions import reference_source
from grader.cli import grade as command
from grader.cli import standby as consent
from grader.core.errors import UsageError
from grader.core.model import Outcome
from grader.course import catalog
from grader.grading import free_memory, standby
from grader.grading.dispatcher import Dispatcher
from grader.grading.messages import Graded, Job
from grader.grading.standby import client, messages, place
from grader.grading.standby.client import StandbyStarter
from grader.grading.starters import ZygoteStarter
from grader.grading.zygote.forking import end_with_peer, outlive_peer
from grader.workspace import own_workspaces

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux only: elsewhere nothing is forked")
LIMIT_S = 20.0
MARKER = "a_name_that_only_this_submission_has"


@pytest.fixture
def ends() -> Iterator[None]:
    """End what stays behind after the test."""
    yield
    standby.end()
    until(lambda: not standby.listed())


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def is_running(process: int) -> bool:
    """Tell whether a process runs; one that has ended and was not waited for does not."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def processes_below(process: int) -> dict[int, str]:
    """Return the running descendants of a process, with their names."""
    found: dict[int, tuple[int, str]] = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            stat = (entry / "stat").read_text()
            name, rest = stat[stat.index("(") + 1 : stat.rindex(")")], stat.rpartition(")")[2].split()
            if rest[0] != "Z":
                found[int(entry.name)] = (int(rest[1]), name)
    below = {process}
    while more := {one for one, (parent, _) in found.items() if parent in below} - below:
        below |= more
    return {one: found[one][1] for one in below - {process} if one in found}


def the_one() -> int:
    ((_, reply),) = standby.listed()
    return reply.process


def job(course, source: str) -> Job:
    (exercise,) = course.exercises
    return Job(exercise=exercise, module=exercise.id, sources={f"{exercise.id}.py": source}, seed=0)


# --- using it


@pytest.mark.cold
@pytest.mark.usefixtures("ends")
def test_the_next_command_uses_the_same_process_and_gets_the_same_result(course):
    right = job(course, reference_source(course.exercises[0]))
    with Dispatcher() as own:
        (alone,) = own.grade([right])
    seen = []
    for _ in range(2):
        with Dispatcher(standby=True) as dispatcher:
            isolation = dispatcher.isolation()
            (graded,) = dispatcher.grade([right])
            assert isinstance(graded, Graded)
            assert isinstance(alone, Graded)
            assert [c.outcome for c in graded.result.checks] == [c.outcome for c in alone.result.checks]
            seen.append(the_one())
    assert isolation.level == 3 or isolation.missing
    assert seen[0] == seen[1]


@pytest.mark.cold
@pytest.mark.usefixtures("ends")
def test_many_commands_at_once_start_one_process():
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: standby.connect(3), range(8)))
    assert all(isinstance(one, StandbyStarter) for one in found)
    assert the_one()
    assert {one.ready().torch_version for one in found if one is not None}
    for one in found:
        one.stop()


@pytest.mark.cold
@pytest.mark.usefixtures("ends")
def test_no_process_of_it_holds_a_submission_once_that_is_graded(course):
    source = reference_source(course.exercises[0]) + f"\n\n{MARKER} = '{MARKER}'\n"
    with Dispatcher(standby=True) as dispatcher:
        for text in (source, source.replace("return 2 * x", "return 3 * x")):
            list(dispatcher.grade([job(course, text)]))
        process = the_one()
        until(lambda: {"grade suite", "grade worker"}.isdisjoint(processes_below(process).values()))
        left = {process: "grade standby", **processes_below(process)}
        assert {"grade host", "grade keeper"} <= set(left.values())
        holding = [name for one, name in left.items() if MARKER.encode() in memory_of(one)]
    assert holding == []


def memory_of(process: int) -> bytes:
    """Return all that a process may write to, as far as it can be read."""
    found = b""
    ranges = re.findall(r"^(\w+)-(\w+) rw", Path(f"/proc/{process}/maps").read_text(), re.MULTILINE)
    with Path(f"/proc/{process}/mem").open("rb", 0) as memory:
        for start, end in ranges:
            with contextlib.suppress(OSError, ValueError):
                memory.seek(int(start, 16))
                found += memory.read(int(end, 16) - int(start, 16))
    return found


@pytest.mark.cold
@pytest.mark.usefixtures("ends")
def test_what_a_killed_command_had_started_ends_at_once(course, tmp_path):
    with Dispatcher(standby=True) as dispatcher:
        dispatcher.ready()
    process = the_one()
    script = tmp_path / "command.py"
    script.write_text(
        "from pathlib import Path\nfrom grader.course import catalog\n"
        "from grader.grading.dispatcher import Dispatcher\nfrom grader.grading.messages import Job\n"
        f"exercise = catalog.load(Path({str(course.root)!r})).exercises[0]\n"
        "source = 'def double(x):\\n    while True: pass\\n'\n"
        "with Dispatcher(standby=True) as dispatcher:\n"
        "    list(dispatcher.grade([Job(exercise=exercise, module=exercise.id, sources={f'{exercise.id}.py': source}, seed=0)]))\n"
    )
    killed = subprocess.Popen([sys.executable, str(script)])
    until(lambda: "grade worker" in processes_below(process).values())
    killed.kill()
    killed.wait()
    begun = time.monotonic()
    until(lambda: {"grade suite", "grade worker"}.isdisjoint(processes_below(process).values()))
    assert time.monotonic() - begun < course.exercises[0].limits.call_limit_s
    assert is_running(process)


@pytest.fixture
def armed() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Return a connection whose end would end this process, and its other end; afterward it no longer would."""
    before = signal.getsignal(signal.SIGIO)
    one, other = socket.socketpair()
    end_with_peer(one)
    yield one, other
    outlive_peer()
    other.close()
    one.close()
    signal.signal(signal.SIGIO, before)


def test_signals_that_come_while_one_is_handled_do_no_harm(armed):
    one, other = armed

    def send() -> None:
        for _ in range(20_000):
            other.send(b"x" * 100)

    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(send)
        left = 20_000 * 100
        while left:
            left -= len(one.recv(4096))
        sent.result()


def test_a_signal_that_is_handled_after_the_connection_was_closed_here_does_no_harm(armed):
    armed[0].close()
    os.kill(os.getpid(), signal.SIGIO)


def test_the_process_ends_with_the_other_end_unless_it_is_to_outlive_it(armed, monkeypatch):
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    armed[1].close()
    until(lambda: bool(ended))
    outlive_peer()
    ended.clear()
    os.kill(os.getpid(), signal.SIGIO)
    assert ended == []


# --- its end


@pytest.mark.cold
@pytest.mark.parametrize("ending", ["idle", "warm process killed", "socket removed"])
def test_it_ends_by_itself(tmp_path, ending):
    path = tmp_path / "s.socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(path))
        listener.listen(1)
        idle_s = 0.3 if ending == "idle" else 600.0
        words = [str(path), str(listener.fileno()), "3", str(idle_s)]
        started = subprocess.Popen(
            [sys.executable, "-P", "-m", "grader.grading.standby", *words], pass_fds=[listener.fileno()]
        )
    connection = client._reached(path)
    assert connection is not None
    found = client._asked(connection)
    assert found is not None
    warm = [one for one, name in processes_below(started.pid).items() if name.startswith("python")]
    time.sleep(2 * idle_s if ending == "idle" else 0)
    assert started.poll() is None, "it ended although a command uses it"
    if ending == "warm process killed":
        os.kill(warm[0], signal.SIGKILL)
    if ending == "socket removed":
        path.unlink()
    found.stop()
    started.wait(LIMIT_S)
    until(lambda: not any(map(is_running, warm)))
    assert not path.exists()


@pytest.mark.cold
@pytest.mark.usefixtures("ends")
def test_a_socket_that_leads_nowhere_is_replaced():
    with Dispatcher(standby=True) as dispatcher:
        dispatcher.ready()
    killed = the_one()
    os.kill(killed, signal.SIGKILL)
    until(lambda: not is_running(killed))
    with Dispatcher(standby=True) as dispatcher:
        dispatcher.ready()
    assert the_one() != killed


# --- where there is none


@pytest.mark.cold
@pytest.mark.parametrize("why", ["no folder", "memory is short", "it cannot start", "another user"])
def test_without_it_a_command_has_a_warm_process_of_its_own(monkeypatch, why):
    if why == "no folder":
        monkeypatch.setattr(client, "folder", lambda: None)
    if why == "memory is short":
        monkeypatch.setattr(free_memory, "is_short", lambda: True)
    if why == "it cannot start":
        monkeypatch.setattr(client, "clean_environment", lambda: {"PYTHONHOME": "/nowhere"})
    if why == "another user":
        monkeypatch.setattr(client, "is_same_user", lambda _connection: False)
    with Dispatcher(standby=True) as dispatcher:
        assert dispatcher.ready().level >= 0
        assert isinstance(dispatcher._starter, ZygoteStarter)
    standby.end()


def test_a_process_of_another_user_is_known_by_its_credentials(monkeypatch):
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with one, other:
        assert messages.is_same_user(one)
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
        assert not messages.is_same_user(one)


@pytest.fixture
def runtime(monkeypatch) -> Iterator[Path]:
    """Return the folder for sockets of the user's session: of a short path, as a socket needs."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        monkeypatch.setenv("XDG_RUNTIME_DIR", name)
        yield Path(name)


@pytest.mark.parametrize("mode", [0o700, 0o770, 0o707, 0o750, 0o701])
def test_the_folder_is_for_the_user_alone(runtime, mode):
    (runtime / "convgrader").mkdir()
    (runtime / "convgrader").chmod(mode)
    assert (place.folder() is not None) == (mode == 0o700)


def test_a_link_in_the_place_of_the_folder_is_refused(runtime):
    (runtime / "elsewhere").mkdir(mode=0o700)
    (runtime / "convgrader").symlink_to(runtime / "elsewhere")
    assert place.folder() is None


def test_a_path_that_no_socket_can_have_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / ("x" * 100)))
    assert place.folder() is None


def test_every_installation_has_a_name_of_its_own(monkeypatch):
    first = place.name(3)
    assert place.name(3) == first
    assert place.name(2) != first
    files = place._files()
    monkeypatch.setattr(place, "_files", lambda: files[1:])
    assert place.name(3) != first  # a module is gone, or has changed
    monkeypatch.setattr(place, "_files", lambda: files)
    monkeypatch.setattr(sys, "prefix", "/another/environment")
    assert place.name(3) != first


def test_an_edited_module_is_another_version(tmp_path, monkeypatch):
    package = tmp_path / "package"
    package.mkdir()
    module = package / "__init__.py"
    module.write_text("")
    monkeypatch.setattr(place.grader, "__file__", str(module))
    first = place.name(3)
    module.write_text("x = 1\n")
    assert place.name(3) != first


# --- consent


@pytest.mark.parametrize(
    ("variable", "is_terminal", "is_own", "submission", "wanted"),
    [
        ("", True, True, ".", True),
        ("", False, True, ".", False),
        ("", True, False, ".", False),
        ("", True, True, "other", False),
        ("0", True, True, ".", False),
        ("1", False, False, "other", True),
    ],
)
def test_it_stays_behind_by_default_only_at_a_students_own_work(
    monkeypatch, variable, is_terminal, is_own, submission, wanted
):
    monkeypatch.setenv("CONVGRADER_STANDBY", variable)
    monkeypatch.setattr("sys.stdout.isatty", lambda: is_terminal, raising=False)
    monkeypatch.setattr(own_workspaces, "is_own", lambda _workspace: is_own)
    assert consent.is_wanted(Path(submission)) is wanted


def test_another_value_of_the_variable_is_an_error(monkeypatch):
    monkeypatch.setenv("CONVGRADER_STANDBY", "yes")
    with pytest.raises(UsageError, match="must be 0 or 1"):
        consent.is_wanted(Path())


def test_it_is_announced_once_with_how_to_switch_it_off(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("CONVGRADER_STANDBY", "")
    consent.announce_once(80)
    said = " ".join(capsys.readouterr().err.split())
    assert "stays for ten minutes" in said
    assert "CONVGRADER_STANDBY=0" in said
    consent.announce_once(80)
    assert capsys.readouterr().err == ""


@pytest.mark.cold
@pytest.mark.usefixtures("ends")
def test_doctor_lists_it_and_ends_it():
    with Dispatcher(standby=True) as dispatcher:
        dispatcher.ready()
    process = the_one()
    assert f"Process {process} has torch loaded" in CliRunner().invoke(command, ["doctor"]).output
    assert "1 process with torch loaded ended." in CliRunner().invoke(command, ["doctor", "--end"]).output
    until(lambda: not is_running(process))
    assert "0 processes" in CliRunner().invoke(command, ["doctor", "--end"]).output


@pytest.mark.cold
@pytest.mark.usefixtures("ends")
def test_a_suite_that_was_edited_meanwhile_is_read_again(course_copy):
    copied = catalog.load(course_copy)
    right = job(copied, reference_source(copied.exercises[0]))
    outcomes = []
    for _ in range(2):
        with Dispatcher(standby=True) as dispatcher:
            (graded,) = dispatcher.grade([right])
            assert isinstance(graded, Graded), graded
            outcomes.append(graded.result.outcome)
        suite = copied.exercises[0].suite
        suite.write_text(suite.read_text().replace("start=1.5), 3.5", "start=1.5), 4.5"))
    assert outcomes == [Outcome.PASSED, Outcome.FAILED]


@pytest.fixture
def course_copy(tmp_path) -> Path:
    shutil.copytree(Path(__file__).parent / "course", tmp_path / "course")
    return tmp_path / "course"
