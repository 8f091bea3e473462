"""Grading processes: one whose submission passed grades the next, and nobody can tell from the results."""

import os
import signal
import sys
import threading
import time
from dataclasses import replace

import pytest
from msgspec import structs
from test_keeper import descriptors
from test_sandbox import alive, copied, named, points  # noqa: F401 - a fixture among them

from grader.core import scoring
from grader.core.model import Limits
from grader.grading import dispatcher as dispatching
from grader.grading import messages
from grader.grading.dispatcher import Dispatcher
from grader.grading.messages import Graded, Job, NotGraded
from grader.grading.zygote.exercise_host import MOST_GROWN_BYTES, MOST_ORDERS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forking a warm process is for Linux")

WRONG = "\n\ndef double(x):\n    return x * x\n"


def one_after_another(side_by_side: int = 1) -> Dispatcher:
    """Start a warm process for many submissions."""
    return Dispatcher(side_by_side, many=True)


def waiting(dispatcher: Dispatcher, count: int) -> list[int]:
    """Return the grading processes, once there are no more than `count`: who does not wait is about to end."""
    deadline = time.monotonic() + 10
    while len(found := named(dispatcher).get("grade suite", [])) > count:
        assert time.monotonic() < deadline, found
        time.sleep(0.01)
    return found


def with_source(job: Job, more: str) -> Job:
    return structs.replace(job, sources={"scaling.py": job.sources["scaling.py"] + more})


def with_suite(job: Job, before: str, in_a_check: str) -> None:
    """Have the suite do something at its beginning, and in its first check."""
    suite = job.exercise.suite
    text = suite.read_text(encoding="utf-8")
    title = '    """The result of double has the shape of its input"""\n'
    assert title in text
    suite.write_text(
        f"{before}\n{text.replace(title, f'{title}    {in_a_check}{chr(10)}')}", encoding="utf-8"
    )


def told(ending: Graded | NotGraded) -> Graded | NotGraded:
    """Return all that was found, without the seconds it took."""
    if not isinstance(ending, Graded):
        return ending
    return structs.replace(ending, result=scoring.without_time(ending.result))


def test_one_whose_submission_passed_grades_the_next(copied):  # noqa: F811
    _, job = copied
    with one_after_another() as dispatcher:
        assert points(dispatcher, job) == 13.0
        first = waiting(dispatcher, 1)
        assert [points(dispatcher, job) for _ in range(5)] == [13.0] * 5
        assert len(first) == 1
        assert waiting(dispatcher, 1) == first


def test_one_whose_submission_did_not_pass_ends(copied):  # noqa: F811
    _, job = copied
    with one_after_another() as dispatcher:
        for bad in (
            with_source(job, WRONG),
            with_source(job, "\nimport os\nos._exit(1)\n"),
            with_source(job, "("),
        ):
            assert points(dispatcher, job) == 13.0
            assert len(waiting(dispatcher, 1)) == 1
            assert points(dispatcher, bad) < 13.0
            assert waiting(dispatcher, 0) == []


def test_where_one_submission_is_to_come_nobody_waits(copied):  # noqa: F811
    _, job = copied
    with Dispatcher() as dispatcher:
        assert points(dispatcher, job) == 13.0
        assert waiting(dispatcher, 0) == []


def test_one_that_waits_is_enough(copied):  # noqa: F811
    _, job = copied
    slow = with_source(job, "\nimport time\ntime.sleep(0.5)\n")
    with one_after_another(3) as dispatcher:
        graded = list(dispatcher.grade([slow] * 3))
        assert [one.result.points for one in graded] == [13.0] * 3
        assert len(waiting(dispatcher, 1)) == 1


def test_what_came_before_changes_no_result(copied, dispatcher):  # noqa: F811
    _, job = copied
    noisy = with_source(
        job, "\nprint('x' * 1000)\nimport torch, random\ntorch.manual_seed(1)\nrandom.seed(2)\n"
    )
    crashing = with_source(job, "\n\ndef double(x):\n    import os\n    os._exit(3)\n")
    in_place = with_source(job, "\n\ndef double(x):\n    return x.mul_(2)\n")
    handed_in = [job, noisy, with_source(job, WRONG), job, crashing, job, noisy, in_place, job]

    def grade(together: Dispatcher) -> list[Graded | NotGraded]:
        return [told(ending) for one in handed_in for ending in together.grade([one.with_replay()])]

    alone = grade(dispatcher)  # with a process for each
    with one_after_another() as together:
        assert grade(together) == alone
    assert {ending.result.outcome.value for ending in alone} >= {"passed", "failed", "crashed"}


def test_what_a_suite_keeps_in_its_globals_is_not_there_for_the_next(copied):  # noqa: F811
    """Nor does the rehearsal of the host leave anything."""
    _, job = copied
    state = (
        "from collections import Counter, deque\n"
        "RUNS, SEEN, LAST, LEARNED, COUNT = 0, [], deque(), {'a': 1}, Counter()\n"
        "def note():\n"
        "    global RUNS, NEW\n"
        "    assert not RUNS and not SEEN and not LAST and LEARNED == {'a': 1} and not COUNT and 'NEW' not in globals()\n"
        "    RUNS, NEW = 1, 1\n"
        "    SEEN.append(1)\n"
        "    LAST.append(1)\n"
        "    LEARNED.update(b=2)\n"
        "    COUNT['x'] += 1\n"
    )
    with_suite(job, state, "note()")
    with one_after_another() as dispatcher:
        assert points(dispatcher, job) == 13.0
        (first,) = waiting(dispatcher, 1)
        assert [points(dispatcher, job) for _ in range(3)] == [13.0] * 3
        assert waiting(dispatcher, 1) == [first]
        assert points(dispatcher, with_source(job, WRONG)) < 13.0
        assert points(dispatcher, job) == 13.0, "one that the host forked after it had rehearsed"


def test_whatever_a_suite_draws_by_is_seeded_for_each_check(copied, tmp_path):  # noqa: F811
    _, job = copied
    told = tmp_path / "drawn"
    drawn = (
        f"open({str(told)!r}, 'a').write(f'{{random.random()}} {{numpy.random.rand()}} {{torch.rand(1)}}\\n')"
    )
    with_suite(job, "import random, numpy", drawn)
    with one_after_another() as dispatcher:
        assert [points(dispatcher, job) for _ in range(4)] == [13.0] * 4
        assert points(dispatcher, with_source(job, WRONG)) < 13.0
        assert points(dispatcher, job) == 13.0
    assert len(set(told.read_text(encoding="utf-8").splitlines())) == 1


def test_one_that_is_killed_while_it_waits_is_missed_by_nobody(copied):  # noqa: F811
    _, job = copied
    with one_after_another() as dispatcher:
        for _ in range(3):
            assert points(dispatcher, job) == 13.0
            (pid,) = waiting(dispatcher, 1)
            os.kill(pid, signal.SIGKILL)
            while alive(pid):
                time.sleep(0.001)
        assert points(dispatcher, job) == 13.0


def test_one_that_is_killed_with_its_order_is_the_only_one_that_is_missed(copied):  # noqa: F811
    _, job = copied
    with one_after_another() as dispatcher:
        assert points(dispatcher, job) == 13.0
        (pid,) = waiting(dispatcher, 1)
        hosts = named(dispatcher)["grade host"]
        os.kill(pid, signal.SIGSTOP)  # the order stays unread
        ended: list[Graded | NotGraded] = []
        thread = threading.Thread(target=lambda: ended.extend(dispatcher.grade([job])))
        thread.start()
        time.sleep(0.5)
        os.kill(pid, signal.SIGKILL)
        thread.join(timeout=10)
        assert ended == [NotGraded(reason="the grading process died")]
        assert points(dispatcher, job) == 13.0
        assert named(dispatcher)["grade host"] == hosts


def test_one_that_waits_is_not_for_a_suite_that_was_edited(copied):  # noqa: F811
    folder, job = copied
    suite = folder / "test_scaling.py"
    with one_after_another() as dispatcher:
        assert points(dispatcher, job) == 13.0
        before = waiting(dispatcher, 1)
        text = suite.read_text(encoding="utf-8")
        suite.write_text(text.replace("points(3)", "points(4)"), encoding="utf-8")
        assert points(dispatcher, job) == 14.0
        assert not set(waiting(dispatcher, 1)) & set(before)


def test_what_is_being_graded_when_its_suite_is_edited_is_graded_to_the_end(copied):  # noqa: F811
    folder, job = copied
    suite = folder / "test_scaling.py"
    slow = with_source(job, "\nimport time\ntime.sleep(1.5)\n")
    with one_after_another(2) as dispatcher:
        assert points(dispatcher, job) == 13.0
        ended: list[float] = []
        thread = threading.Thread(target=lambda: ended.append(points(dispatcher, slow)))
        thread.start()
        time.sleep(0.5)
        text = suite.read_text(encoding="utf-8")
        suite.write_text(text.replace("points(3)", "points(4)"), encoding="utf-8")
        assert points(dispatcher, job) == 14.0
        thread.join(timeout=10)
        assert ended == [13.0]


def test_one_that_has_grown_ends(copied):  # noqa: F811
    _, job = copied
    with_suite(job, "KEPT = ([],)", f"KEPT[0].append(b'x' * {MOST_GROWN_BYTES + 2**20})")
    with one_after_another() as dispatcher:
        for _ in range(3):
            assert points(dispatcher, job) == 13.0
            assert waiting(dispatcher, 0) == []


def test_nothing_is_left_open_and_the_hundredth_is_the_last(copied):  # noqa: F811
    _, job = copied
    with one_after_another() as dispatcher:
        assert points(dispatcher, job) == 13.0
        (first,) = waiting(dispatcher, 1)
        time.sleep(0.5)
        before = descriptors(first)
        for _ in range(MOST_ORDERS - 2):
            assert points(dispatcher, job) == 13.0
        assert waiting(dispatcher, 1) == [first]
        deadline = time.monotonic() + 10
        while descriptors(first) > before and time.monotonic() < deadline:
            time.sleep(0.01)  # it tells how the last one ended before it lets go of it
        assert descriptors(first) == before
        assert points(dispatcher, job) == 13.0
        assert waiting(dispatcher, 0) == []


def test_the_limit_of_a_suite_is_for_each_submission_by_itself(copied, monkeypatch):  # noqa: F811
    _, job = copied
    monkeypatch.setattr(dispatching, "_OWN_SLACK_S", 1)
    exercise = replace(job.exercise, limits=Limits(import_limit_s=1.0, exercise_limit_s=1.0))
    job = structs.replace(job, exercise=exercise)
    # What lies deeper in a global is not put back; a suite that counts so hangs in its sixth run.
    with_suite(job, "import time\nRUN = ([],)", "RUN[0].append(1)\n    if len(RUN[0]) == 6: time.sleep(30)")
    with one_after_another() as dispatcher:
        assert points(dispatcher, job) == 13.0  # the host rehearses now, twice, in a process of its own
        (pid,) = waiting(dispatcher, 1)
        time.sleep(3.2)  # longer than the limit
        assert [points(dispatcher, job) for _ in range(4)] == [13.0] * 4
        assert waiting(dispatcher, 1) == [pid]
        started = time.monotonic()
        (ending,) = dispatcher.grade([job])
        assert ending == NotGraded(reason="the grading process died")
        assert time.monotonic() - started < 10
        assert points(dispatcher, job) == 13.0


def test_a_command_that_has_gone_costs_the_next_one_nothing(copied):  # noqa: F811
    """It gave up waiting; the process that graded for nobody grades for somebody then."""
    _, job = copied
    with one_after_another() as dispatcher:
        assert points(dispatcher, job) == 13.0
        for telling in (True, False, True, False):
            gone = dispatcher._starter.open(job, slot=0)
            gone.send(messages.encode(structs.replace(job, tell_checks=telling)))
            gone.close()
            assert [points(dispatcher, job) for _ in range(3)] == [13.0] * 3
