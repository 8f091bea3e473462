"""What another program may cost: bytes of output and seconds, whatever it does."""

import ast
import sys
from pathlib import Path

import pytest

import grader
from grader.core.bounded_process import ProcessFailed, output_of

GRADER = Path(grader.__file__).parent
# What may start a program otherwise: the workers and their starters, and a student's own replay file, at a terminal.
STARTERS = {
    "core/bounded_process.py",
    "sandbox/spawned.py",
    "grading/starters.py",
    "cli/replay.py",
}


def output(code: str, *, limit_bytes: int = 100, limit_s: float = 60, given: bytes = b"") -> bytes:
    command = [sys.executable, "-S", "-c", f"import os, sys\n{code}"]
    return output_of(command, limit_bytes=limit_bytes, limit_s=limit_s, given=given)


@pytest.mark.cold
@pytest.mark.parametrize("size", [0, 99, 100])
def test_output_within_the_limit_is_returned(size):
    assert output(f"sys.stdout.write('x' * {size})") == b"x" * size


@pytest.mark.cold
def test_a_program_reads_what_it_is_given_and_need_not():
    assert output("print(sys.stdin.read())", given=b"a" * 20).split() == [b"a" * 20]
    assert output("os.write(1, b'x')", given=b"a" * 512) == b"x"


@pytest.mark.cold
@pytest.mark.parametrize(
    "code",
    [
        "while True: os.write(1, b'x' * 65536)",
        "while True: os.write(1, b'x' * 65536); os.write(2, b'x' * 65536)",
        "os.write(1, b'x' * 101); sys.exit(1)",
        "os.write(1, b'x' * 101); sys.stdin.close(); os.close(1); import time; time.sleep(1000)",
    ],
)
def test_a_program_that_writes_more_is_killed_and_one_byte_more_is_returned(code):
    assert output(code) == b"x" * 101


@pytest.mark.cold
@pytest.mark.parametrize(
    "code",
    [
        "sys.exit(1)",
        "os.abort()",
        "import time; time.sleep(1000)",
        "while True: os.write(2, b'x' * 65536)",
        "import time; os.close(1); time.sleep(1000)",
        "os.fork() or __import__('time').sleep(1000); sys.exit(1)",  # its child keeps the output open
    ],
)
def test_a_program_that_fails_or_does_not_end_is_killed_and_named(code):
    with pytest.raises(ProcessFailed):
        output(code, limit_s=2)


@pytest.mark.cold
def test_a_program_that_is_missing_is_named():
    with pytest.raises(ProcessFailed):
        output_of(["no-such-program"], limit_bytes=1, limit_s=1)


@pytest.mark.cold
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the addresses of another program")
def test_the_limit_of_memory_holds_from_the_start_of_a_program():
    limits = output_of(["/bin/cat", "/proc/self/limits"], limit_bytes=4096, limit_s=60, memory_bytes=2**25)
    (line,) = [line for line in limits.decode().splitlines() if line.startswith("Max address space")]
    assert line.split()[3:5] == [str(2**25)] * 2
    with pytest.raises(ProcessFailed):
        output_of(["no-such-program"], limit_bytes=1, limit_s=1, memory_bytes=2**25)


def test_every_other_program_is_started_within_these_limits():
    importing = set()
    for path in GRADER.rglob("*.py"):
        imports = (node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.Import))
        if any(name.name.split(".")[0] == "subprocess" for node in imports for name in node.names):
            importing.add(path.relative_to(GRADER).as_posix())
    assert importing == STARTERS
