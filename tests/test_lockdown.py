"""The lock-down: what a worker can and cannot do at every level, tried inside one."""

import json
import os
import resource
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest

from grader.sandbox.protocol.orders import WorkerOrder  # noqa: F401 - proves that orders need no torch
from grader.sandbox.worker import seccomp

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Landlock and seccomp are Linux's")

PROGRAM = """
import json, os, sys
import numpy, torch
torch.set_num_threads(1)
from grader.sandbox.worker import lockdown

confinement = lockdown.prepare(max_level=int(sys.argv[1]))
reading, writing = os.pipe()
parent = os.getpid()


def outcome(action):
    try:
        action()
    except BaseException as error:
        return type(error).__name__
    return "allowed"


def lazy():
    import decimal, sqlite3, torch.distributions, xml.etree.ElementTree
    torch.einsum("ij,jk->ik", torch.ones(2, 2), torch.ones(2, 2))
    torch.linalg.svd(torch.ones(3, 3)), torch.fft.fft(torch.ones(3))


def optimize():
    layer = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()


def thread():
    import threading
    seen = []
    started = threading.Thread(target=lambda: seen.append(1))
    started.start()
    started.join()
    assert seen


def prctl(option):
    from grader.sandbox.worker import linux
    linux.check(linux.libc.prctl(option, 0, 0, 0, 0), "prctl")


import fcntl, socket, subprocess, resource
from grader.sandbox.worker.linux import system_call

x86 = os.uname().machine == "x86_64"
ACTIONS = {
    "read /etc/passwd": lambda: open("/etc/passwd").read(),
    "read the grader": lambda: open(lockdown.__file__).read(),
    "read another process": lambda: open(f"/proc/{parent}/environ").read(),
    "list the root": lambda: os.listdir("/"),
    "list site-packages": lambda: os.listdir(os.path.dirname(os.path.dirname(torch.__file__))),
    "write a file": lambda: open(os.path.join(sys.argv[2], "written"), "w"),
    "open to read and write": lambda: os.open(os.path.join(sys.argv[2], "kept"), os.O_RDWR),
    "own a signal": lambda: fcntl.fcntl(0, fcntl.F_SETOWN, parent),
    "choose a signal": lambda: fcntl.fcntl(0, 10, 9),
    "set a timer": lambda: system_call(222 if x86 else 107),
    "kill itself": lambda: system_call(234 if x86 else 131, os.getpid(), os.getpid(), 9),
    "watch a folder": lambda: system_call(294 if x86 else 26, 0),
    "call the future": lambda: system_call(9000),
    "remove a file": lambda: os.remove(os.path.join(sys.argv[2], "kept")),
    "open a socket": socket.socket,
    "fork": os.fork,
    "run a program": lambda: subprocess.run(["true"]),
    "signal the parent": lambda: os.kill(parent, 0),
    "trace": lambda: system_call(101 if x86 else 117, 0, 0, 0, 0),
    "outlive the parent": lambda: prctl(1),
    "become dumpable": lambda: prctl(4),
    "raise a limit": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (10, 10)),
    "move to another core": lambda: os.sched_setaffinity(0, {0, 1}),
    "take all memory in torch": lambda: torch.empty(2**34),
    "take all memory in Python": lambda: bytearray(2**35),
    "import lazily": lazy,
    "optimize": optimize,
    "start a thread": thread,
    "allocate a little": lambda: torch.ones(1000, 1000) @ torch.ones(1000, 1000),
}

if os.fork() == 0:
    lockdown.enter_namespaces(confinement)
    if os.fork() == 0:
        lockdown.lock_down(confinement, keep={0, 1, 2, writing}, memory_limit_mib=512, cpu_limit_s=60, cpu=0)
        outcomes = {name: outcome(action) for name, action in ACTIONS.items()}
        outcomes["host name"] = os.uname().nodename
        os.write(writing, json.dumps(outcomes).encode())
        os._exit(0)
    os.wait()
    os._exit(0)
os.close(writing)
answer = os.fdopen(reading).read()
os.wait()
print(json.dumps({"level": confinement.level, "missing": list(map(str, confinement.missing)), "outcomes": json.loads(answer)}))
"""

READING = {"read /etc/passwd", "read the grader", "list the root", "list site-packages"}
SYSTEM = {
    "open a socket", "fork", "run a program", "signal the parent", "trace", "outlive the parent", "become dumpable",
    "raise a limit", "move to another core", "remove a file", "write a file", "open to read and write", "own a signal",
    "choose a signal", "set a timer", "kill itself", "watch a folder", "call the future",
}  # fmt: skip
MEMORY = {"take all memory in torch", "take all memory in Python"}
USEFUL = {"import lazily", "optimize", "start a thread", "allocate a little"}


@pytest.fixture(scope="module", params=[3, 2, 1])
def locked(request, tmp_path_factory):
    """The outcome of every action in a worker at one level."""
    folder = tmp_path_factory.mktemp("writable")
    (folder / "kept").write_text("kept")
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "TORCHINDUCTOR_CACHE_DIR": "/",
    }
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(request.param), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    answer = json.loads(done.stdout)
    if answer["level"] < request.param:
        pytest.skip(f"this machine gives level {answer['level']}: {answer['missing']}")
    return request.param, answer, folder


def test_useful_work_is_allowed(locked):
    _, answer, _ = locked
    assert {name: answer["outcomes"][name] for name in USEFUL} == dict.fromkeys(USEFUL, "allowed")


def test_system_calls_beyond_computing_are_refused_at_every_level(locked):
    _, answer, folder = locked
    refused = {
        name for name in SYSTEM if answer["outcomes"][name] in ("PermissionError", "OSError", "ValueError")
    }
    assert refused == SYSTEM, answer["outcomes"]
    assert (folder / "kept").exists()


def test_files_cannot_be_read_from_level_two_on(locked):
    level, answer, folder = locked
    refused = {name for name in READING if answer["outcomes"][name] == "PermissionError"}
    assert refused == (READING if level >= 2 else set()), answer["outcomes"]
    assert not (folder / "written").exists()


def test_the_name_of_the_host_is_hidden_at_level_three(locked):
    level, answer, _ = locked
    assert answer["outcomes"]["host name"] == ("worker" if level == 3 else os.uname().nodename)


def test_memory_is_limited(locked):
    _, answer, _ = locked
    assert {answer["outcomes"][name] for name in MEMORY} <= {"MemoryError", "RuntimeError"}


def test_a_lower_level_says_what_is_missing(locked):
    level, answer, _ = locked
    assert answer["level"] == level
    assert len(answer["missing"]) == 3 - level
    assert all("isolation was limited to level" in reason for reason in answer["missing"])


@pytest.mark.parametrize("name", seccomp.MACHINES)
def test_the_filter_assembles_for_each_architecture(name):
    machine = seccomp.MACHINES[name]
    code = seccomp.program(machine, 1)
    assert len(code) % 8 == 0
    assert len(code) // 8 < 4096
    numbers = [
        *seccomp.allowed_numbers(machine).values(),
        *seccomp._numbers(seccomp._CONDITIONAL, machine).values(),
    ]
    assert len(numbers) == len(set(numbers))
    assert 60 < len(numbers) < 90


def test_calls_that_one_architecture_lacks_are_the_old_ones():
    lacking = {name for name, (_, arm) in {**seccomp._ALLOWED, **seccomp._CONDITIONAL}.items() if arm is None}
    assert {"open", "stat", "poll", "select", "dup2", "readlink"} <= lacking
    assert all(x86 is not None for x86, _ in seccomp._ALLOWED.values())


# --- limits


def limits_after(action) -> dict[str, int]:
    """Return the resource limits of a forked child after an action."""
    kinds = ("AS", "CPU", "FSIZE", "CORE", "NOFILE")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            action()
            found = {kind: resource.getrlimit(getattr(resource, f"RLIMIT_{kind}")) for kind in kinds}
            os.write(writing, json.dumps(found).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    found = json.loads(answer)
    assert all(soft == hard for soft, hard in found.values() if hard != resource.RLIM_INFINITY), (
        "cannot be raised"
    )
    return {kind: soft for kind, (soft, _) in found.items()}


def test_the_limits_of_a_worker_are_those_it_is_given():
    from grader.sandbox.worker import linux

    large = 64 * 2**30
    assert limits_after(lambda: linux.limit(large, 17)) == {
        "AS": large,
        "CPU": 17,
        "FSIZE": 0,
        "CORE": 0,
        "NOFILE": 64,
    }


def test_a_limit_that_is_lower_already_stays():
    from grader.sandbox.worker import limits, linux

    def lower(limit) -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (9, 9))
        limit()

    assert limits_after(lambda: lower(lambda: linux.limit(64 * 2**30, 17)))["CPU"] == 9
    assert limits_after(lambda: lower(lambda: limits.limit_here(2**16, 17)))["CPU"] == 9


def test_the_limits_of_a_spawned_worker_are_those_it_is_given():
    from grader.sandbox.worker import limits, linux

    size = {}

    def action() -> None:
        size["before"] = linux.virtual_memory_bytes()
        limits.limit_here(1024, 17)

    found = limits_after(action)
    assert (found["CPU"], found["FSIZE"], found["CORE"], found["NOFILE"]) == (17, 0, 0, 64)
    expected = linux.virtual_memory_bytes() + 1024 * 2**20
    assert abs(found["AS"] - expected) < 32 * 2**20  # a child is as large as its parent, but for a few pages


def test_a_spawned_worker_of_macos_may_start_no_process_and_has_no_limit_of_memory(monkeypatch):
    from grader.sandbox.worker import limits

    monkeypatch.setattr(limits, "sys", SimpleNamespace(platform="darwin"))
    found = {}
    monkeypatch.setattr(limits, "set_limits", found.update)
    limits.limit_here(1024, 17)
    assert found == {
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: 17,
        resource.RLIMIT_NOFILE: 64,
        resource.RLIMIT_NPROC: 1,
    }


@pytest.mark.parametrize(("memory_limit_mib", "budget_mib"), [(1, 101), (1024, 1124)])
def test_the_budget_of_a_worker_is_its_memory_limit_beyond_the_size_of_the_zygote(
    monkeypatch, memory_limit_mib, budget_mib
):
    from grader.sandbox.worker import linux, lockdown

    calls = []
    for name in (
        "close_all_but",
        "drop_capabilities",
        "die_with_parent",
        "forbid_new_privileges",
        "make_undumpable",
    ):
        monkeypatch.setattr(linux, name, lambda *_: None)
    monkeypatch.setattr(linux, "limit", lambda *limits: calls.append(limits))
    monkeypatch.setattr(lockdown.seccomp, "install", lambda: calls.append("seccomp"))
    monkeypatch.setattr(lockdown.tempfile, "tempdir", None)
    confinement = lockdown.Confinement(
        level=1, layers=(), missing=(), landlock_fd=None, base_bytes=100 * 2**20
    )
    lockdown.lock_down(confinement, keep={0}, memory_limit_mib=memory_limit_mib, cpu_limit_s=7, cpu=None)
    assert calls == [(budget_mib * 2**20, 7), "seccomp"]


def test_every_descriptor_is_closed_but_those_that_are_kept():
    from grader.sandbox.worker import linux

    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        extra = [os.dup(0) for _ in range(5)]
        linux.close_all_but({0, 1, 2, writing, extra[2]})
        os.write(
            writing,
            json.dumps([extra[2], *(int(path.name) for path in Path("/proc/self/fd").iterdir())]).encode(),
        )
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        kept, *left = json.loads(pipe.read())
    os.waitpid(child, 0)
    listing = {number for number in left if number not in (0, 1, 2, writing, kept)}
    assert {0, 1, 2, writing, kept} <= set(left)
    assert len(listing) <= 1, "the one that lists /proc/self/fd"
