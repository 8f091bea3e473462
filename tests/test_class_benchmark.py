"""The class benchmark: its submissions are distinct and graded, and its baselines agree with the grader."""

import importlib
import re
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.cold

ROOT = Path(__file__).parent.parent
COURSE = Path(__file__).parent / "course"


@pytest.fixture
def benchmark(monkeypatch):
    """Return benchmarks/class.py as a module, which measures the miniature course."""
    monkeypatch.setenv("CONVGRADER_COURSE", str(COURSE))
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    yield importlib.import_module("class")
    for name in ("class", "latency", "memory", "peers", "plain"):
        sys.modules.pop(name, None)


@pytest.fixture
def bench(benchmark, tmp_path):
    """Return the bench of a class in which two of five submissions have a mistake."""
    exercise = benchmark.exercise_of("scaling")
    return benchmark.Bench(exercise=exercise, wrong=0.4, jobs=2, folder=tmp_path)


def test_a_generated_class_is_graded_and_wrong_submissions_fail(benchmark, bench, tmp_path):
    handed_in, book = bench.class_of(5), tmp_path / "kept.db"
    texts = {path.read_text("utf-8") for path in handed_in.glob("*/scaling.py")}
    assert len(texts) == 5
    run = bench.grade(handed_in, book, every_s=0.1)
    assert run.peak_mib() > 100
    failed = {
        student
        for student, checks in benchmark.results(book).items()
        if any(outcome != "passed" for _, outcome in checks)
    }
    assert failed == {"s00002", "s00004"}
    assert list(tmp_path.glob("deleted-later*")) == []


def test_the_row_of_a_size_holds_its_figures(benchmark, bench):
    (row,) = benchmark.size_rows(bench, [3], start_up=0.5, rounds=1)
    size, whole, each, rate, peak, typical, growth, again, ratio, again_each, kept = (
        cell.strip() for cell in row.strip("|").split("|")
    )
    assert size == "3"
    assert re.fullmatch(r"too short|[+-]\d+\.\d MiB", growth)  # a slow machine takes enough samples
    assert float(whole.split()[0]) > float(again.split()[0]) > 0
    assert float(each.split()[0]) * float(rate) == pytest.approx(1000, rel=0.02)
    assert float(peak.split()[0]) >= float(typical.split()[0])
    assert re.fullmatch(r"1/\d+(\.\d+)?", ratio)
    assert float(again_each.split()[0]) > 0 < float(kept.split()[0])


def test_the_bare_fork_runs_the_suite(benchmark, tmp_path, monkeypatch):
    monkeypatch.setenv("CONVGRADER_COURSE", str(ROOT))
    relu = benchmark.exercise_of("relu")
    bench = benchmark.Bench(exercise=relu, wrong=0.5, jobs=2, folder=tmp_path)
    right = sorted(bench.class_of(2, 0.0).iterdir())
    assert 0 < benchmark.fork_each(relu, right, 2) < 60
    wrong = sorted(bench.class_of(2).iterdir())
    with pytest.raises(
        benchmark.subprocess.CalledProcessError
    ):  # it accepts right submissions only, and fails otherwise
        benchmark.fork_each(relu, wrong, 2)


def test_growing_memory_is_reported(benchmark):
    def grown(samples):
        return benchmark.Run(seconds=1.0, samples=tuple(enumerate(samples))).growth(after_s=-1)

    assert grown([benchmark.MIB * (100 + n) for n in range(40)]) == "+30.0 MiB"
    assert grown([benchmark.MIB * 100] * 40) == "+0.0 MiB"
    assert grown([benchmark.MIB * 100] * 8) == "too short"
