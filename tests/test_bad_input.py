"""Submissions that fail in every way: each has its own outcome and sentence, and costs only its own points."""

import time

import pytest

from grader.core.model import Outcome

CALLS = [
    # what `double` does, its outcome, and words of the sentence the student reads
    ("return None", Outcome.FAILED, "`double` returned None. Does its last line return the result?"),
    ("return (2 * x, x)", Outcome.FAILED, "tuple"),
    (
        "return (2 * x).numpy()",
        Outcome.FAILED,
        "returned an ndarray of shape (2, 3) and dtype float32. Return a torch.Tensor",
    ),
    ("return nn.Parameter(2 * x)", Outcome.FAILED, "parameter"),
    ("return (2 * x).as_subclass(Odd)", Outcome.FAILED, "subclass of torch.Tensor"),
    ("return (2 * x).to_sparse()", Outcome.FAILED, "sparse"),
    ("return (2 * x).to('meta')", Outcome.FAILED, "meta"),
    ("return (2 * x).cfloat()", Outcome.FAILED, "complex64"),
    ("return x.new_zeros(1).expand(10**9)", Outcome.FAILED, "larger than 64 MiB"),
    ("return 'a' * 10**6", Outcome.FAILED, "str of 1000000 characters"),
    ("return 10**30", Outcome.FAILED, "beyond 64 bits"),
    ("return Odd2()", Outcome.FAILED, "Odd2"),
    ("raise ValueError('no such thing')", Outcome.RAISED, "raised ValueError: no such thing"),
    ("raise NotImplementedError", Outcome.NOT_ATTEMPTED, "not written yet"),
    ("return undefined_name", Outcome.RAISED, "NameError"),
    ("input('your name? ')", Outcome.RAISED, "input() was called"),
    ("sys.exit(0)", Outcome.RAISED, "sys.exit(0)"),
    ("raise KeyboardInterrupt", Outcome.RAISED, "KeyboardInterrupt"),
    ("open('/etc/passwd').read()", Outcome.RAISED, "no files, sockets or processes"),
    ("open('/tmp/convgrader-was-here', 'w')", Outcome.RAISED, "no files, sockets or processes"),
    ("import socket; socket.socket()", Outcome.RAISED, "no files, sockets or processes"),
    ("import subprocess; subprocess.run(['true'])", Outcome.RAISED, "no files, sockets or processes"),
    ("os.fork()", Outcome.RAISED, "no files, sockets or processes"),
    ("os.kill(os.getppid(), 9)", Outcome.RAISED, "double"),
    ("os._exit(0)", Outcome.CRASHED, "exit status 0"),
    ("os.abort()", Outcome.CRASHED, "SIG"),
    ("import ctypes; ctypes.string_at(0)", Outcome.CRASHED, "SIGSEGV"),
    ("os.closerange(0, 100)", Outcome.CRASHED, "double"),
    ("torch.ones(10**9)", Outcome.MEMORY_LIMIT, "memory"),
    ("bytearray(2**31)", Outcome.MEMORY_LIMIT, "memory"),
    ("torch.addcmul(x, x, x)", Outcome.FAILED, "switched off in this exercise"),
    ("return double(x)", Outcome.RAISED, "RecursionError"),
    ("while True: pass", Outcome.TIME_LIMIT, "did not end within"),
    ("while True: print('a' * 1000)", Outcome.OUTPUT_LIMIT, "256 KiB"),
    (
        "os.write(int(os.listdir('/proc/self/fd')[-1]), b'x')",
        Outcome.RAISED,
        "no files, sockets or processes",
    ),
    ("[_junk(n) for n in range(3, 40)]", Outcome.TAMPERING, "magic number"),
]

HEAD = """
import os, sys
class Odd(torch.Tensor): pass
class Odd2: pass
def _junk(n):
    try:
        os.write(n, b"CG1junk")
    except OSError:
        pass
def double(x):
    """


@pytest.mark.parametrize(("body", "outcome", "words"), CALLS, ids=[body for body, _, _ in CALLS])
def test_a_bad_call_has_its_own_outcome_and_sentence_and_costs_no_other_function(
    grade, check, body, outcome, words
):
    result = grade(HEAD + body)
    first = check(result, "test_shape")
    assert (first.outcome, first.points) == (outcome, 0.0), first
    assert words in first.rationale
    others = [check(result, name) for name in ("test_total", "test_module", "test_learns", "test_counts")]
    assert [other.outcome for other in others] == [Outcome.PASSED] * 4
    assert result.points == 7.0


MODULES = [
    # the whole file, its outcome, and words of the message
    (b"", Outcome.NOT_ATTEMPTED, "exercises/scaling.py is empty"),
    (b"  \n\n", Outcome.NOT_ATTEMPTED, "exercises/scaling.py is empty"),
    (b"x = 1\ny = '\xff\xfe'\n", Outcome.RAISED, "exercises/scaling.py is not UTF-8 text (line 2)"),
    (b"def double(x):\n    return 2 *\n", Outcome.RAISED, "Python cannot read your file: invalid syntax"),
    (b"def double(x):\nreturn 2\n", Outcome.RAISED, "expected an indented block"),
    (b"x = 1\0\n", Outcome.RAISED, "null bytes"),
    (
        b"import nothing_like_this\nnothing_like_this.f()\n",
        Outcome.RAISED,
        "`nothing_like_this` is not there while",
    ),
    (b"1 / 0\n", Outcome.RAISED, "ZeroDivisionError"),
    (b"import sys\nsys.exit()\n", Outcome.RAISED, "sys.exit"),
    (b"import os\nos._exit(3)\n", Outcome.CRASHED, "exit status 3"),
    (b"while True: pass\n", Outcome.TIME_LIMIT, "Importing your file did not end within 2 s"),
    (b"while True: print('x' * 10000)\n", Outcome.OUTPUT_LIMIT, "256 KiB"),
    (b"x = bytearray(2**32)\n", Outcome.MEMORY_LIMIT, "memory"),
    (b"open('/etc/hostname')\n", Outcome.RAISED, "no files"),
]


@pytest.mark.parametrize(
    ("source", "outcome", "words"), MODULES, ids=[repr(source)[:40] for source, _, _ in MODULES]
)
def test_a_module_that_does_not_load_says_why(grade, source, outcome, words):
    result = grade(source)
    assert (result.outcome, result.points, result.max_points) == (outcome, 0.0, 13.0)
    assert words in result.message


def test_a_missing_file_is_not_attempted_and_says_how_to_get_it_back(dispatcher, course, tmp_path):
    from grader.grading.attempt import grade_exercises
    from grader.submission import open_submission

    (result,) = grade_exercises(dispatcher, open_submission(tmp_path), course.exercises, seed=0)
    assert result.outcome is Outcome.NOT_ATTEMPTED
    assert "grade init" in result.message


def test_a_syntax_error_shows_its_line(grade):
    result = grade(b"def double(x):\n    return 2 *\n")
    assert [(frame.path, frame.line, frame.text) for frame in result.traceback] == [
        ("exercises/scaling.py", 2, "    return 2 *")
    ]


def test_a_wrong_signature_is_shown_beside_the_call(grade, check):
    result = grade("def total(x): return float(x.sum())")
    failed = check(result, "test_total")
    assert failed.outcome is Outcome.FAILED
    assert (
        failed.rationale
        == "`total(x)` cannot be called like this: got an unexpected keyword argument 'start'. Give it a parameter `start`, as the stub has it."
    )


def test_a_renamed_function_is_recognized(grade, check):
    result = grade("del double\ndef doubled(x): return 2 * x")
    failed = check(result, "test_shape")
    assert failed.outcome is Outcome.FAILED
    assert (
        failed.rationale == "`double` is not defined in this module. Did you rename it? There is `doubled`."
    )


def test_a_traceback_holds_the_students_own_lines_only(grade, check):
    result = grade("def helper(x):\n    return x.no_such_attribute\ndef double(x):\n    return helper(x)")
    frames = check(result, "test_shape").traceback
    assert [(frame.path, frame.function, frame.text) for frame in frames] == [
        ("exercises/scaling.py", "double", "return helper(x)"),
        ("exercises/scaling.py", "helper", "return x.no_such_attribute"),
    ]


def test_prints_are_shown_and_capped(grade):
    result = grade(
        "print('hello from', __name__)\ndef double(x):\n    print('\\x1b[31mred' * 300)\n    return 2 * x"
    )
    assert result.outcome is Outcome.PASSED
    assert result.output.startswith("hello from scaling\n")
    assert "\x1b" not in result.output
    assert result.output.endswith("… (cut here)")
    assert len(result.output) < 4100


def test_a_hang_costs_one_time_limit_and_the_other_checks_of_the_function_fail_at_once(grade, check):
    started = time.monotonic()
    result = grade("def total(x, start=0.0):\n    while True: pass")
    assert time.monotonic() - started < 2 * 1.5 + 2.0
    assert check(result, "test_total").outcome is Outcome.TIME_LIMIT
    assert result.points == 11.0


def test_a_crash_is_remembered_with_its_function(grade, check):
    result = grade("import os\ndef double(x):\n    if x.requires_grad: os._exit(1)\n    return 2 * x")
    assert check(result, "test_gradient").outcome is Outcome.CRASHED
    assert check(result, "test_values").outcome is Outcome.PASSED


def test_helper_modules_are_imported_from_the_submission(grade):
    files = {
        "mine.py": "def twice(x):\n    return 2 * x\n",
        "pack/__init__.py": "from pack.deep import two\n",
        "pack/deep.py": "two = 2\n",
    }
    result = grade(
        "import mine\nfrom pack import two\ndef double(x):\n    return mine.twice(x) * two / 2", files=files
    )
    assert result.outcome is Outcome.PASSED


@pytest.mark.parametrize(
    "files",
    [
        {f"big{n}.py": "#" * 2**20 for n in range(8)},
        {"one.py": "#" * (2**20 + 1)},
        {f"{n:03}{chr(92) * 240}.py": "" for n in range(250)},
        {"endless.py": "import " + "a." * 100_000 + "a"},
    ],
    ids=["many", "too large", "long names", "endless name"],
)
def test_helpers_of_any_size_that_are_not_imported_cost_nothing(grade, files):
    """Each was an error of the grader, whose points leave both sides of the score."""
    assert grade("", files=files).outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ([2**20 + 1], "exercises/h0.py is larger than the limit of 1 MiB."),
        ([2**20] * 3, "exercises/h2.py is not read: with it, the files are larger than 3 MiB together."),
        ([2**20] * 40, "exercises/h39.py is not read: with it, the files are larger than"),
    ],
    ids=["too large", "too large together", "too large for a submission"],
)
def test_a_helper_that_is_too_large_is_an_error_of_the_module_that_imports_it(grade, sizes, said):
    last = f"h{len(sizes) - 1}"
    files = {f"h{n}.py": "#" * size for n, size in enumerate(sizes)}
    result = grade(f"import {last}", files=files)
    assert result.outcome is Outcome.RAISED
    assert said in result.message


def test_a_submission_cannot_shadow_a_library(grade):
    files = {"torch.py": "raise SystemExit('shadowed')", "random.py": "raise SystemExit('shadowed')"}
    assert grade("import random\ndef double(x):\n    return 2 * x", files=files).outcome is Outcome.PASSED


def test_the_course_and_the_grader_cannot_be_read(grade, check, course):
    import grader

    for path in (course.exercises[0].folder / "reference.py", grader.__file__):
        result = grade(f"def double(x):\n    return open({str(path)!r}).read()")
        assert check(result, "test_shape").outcome is Outcome.RAISED
        assert "Permission denied" in check(result, "test_shape").rationale


def test_a_process_that_ends_itself_between_two_calls_costs_nothing_and_voids_nothing(grade):
    late = "import os, threading\ndef double(x):\n    threading.Timer(0.0, os._exit, [0]).start()\n    return 2 * x"
    result = grade(late)
    assert result.outcome in (Outcome.PASSED, Outcome.CRASHED)
    assert result.max_points == 13.0
    assert result.points >= 7.0


def test_a_detached_result_says_so(grade, check):
    result = grade("def double(x):\n    return 2 * x.detach()")
    failed = check(result, "test_gradient")
    assert failed.outcome is Outcome.FAILED
    assert "cut off from the graph" in failed.rationale
