"""Suites: comparisons that name the place of a difference, checks with points, seeds that repeat."""

import importlib
import itertools
import sys
from pathlib import Path

import pytest
import torch

from grader.core.errors import DocumentError
from grader.grading.engine.proxy import Conversation
from grader.grading.engine.suite import old_names, plugin
from grader.grading.engine.suite.comparison import Mismatch
from grader.grading.engine.suite.plugin import collect, run_checks, seed_of, selected
from grader.grading.engine.suite.tolerance_use import measuring
from grader.suite import assert_gradient, assert_matches


def mismatch(got, expected, **options):
    with pytest.raises(Mismatch) as caught:
        assert_matches(got, expected, **options)
    return caught.value


IMAGE = torch.arange(24.0).reshape(1, 2, 3, 4) + 1

DIFFERENCES = [
    # what the student returned, words of the rationale, words of the place
    (None, "is None. Does the last line return it?", ""),
    ((IMAGE, 1), "tuple of 2, where a single tensor", ""),
    (3.0, "is a float", ""),
    (IMAGE[0], "has the shape (2, 3, 4), not (1, 2, 3, 4)", "3 axes, where 4 are expected"),
    (IMAGE[..., :3], "has the shape (1, 2, 3, 3)", "W is 3, not 4"),
    (IMAGE.double(), "has the dtype float64, not float32", ""),
    (IMAGE * float("nan"), "holds NaN in 24 of 24 places", ""),
    (IMAGE * 2, "wrong in 24 of 24", "every value is 2 times what is expected"),
    (IMAGE + 1, "wrong in 24 of 24", "every value is off by +1"),
    (-IMAGE, "wrong in 24 of 24", "every sign is flipped"),
    (IMAGE.flip(-1), "wrong in 24 of 24", "flipped"),
]


@pytest.mark.parametrize(
    ("got", "rationale", "where"), DIFFERENCES, ids=[words for _, words, _ in DIFFERENCES]
)
def test_a_difference_is_named_by_its_first_step(got, rationale, where):
    found = mismatch(got, IMAGE)
    assert rationale in found.rationale
    assert where in found.where


PLACES = [
    ((slice(None), slice(None), slice(None), -1), "only the last column is wrong"),
    ((slice(None), slice(None), 0), "only the first row is wrong"),
    ((slice(None), 1), "only the last channel is wrong"),
    ((0, 0, 1, 2), "only the third column of the second row of the first channel is wrong"),
]


@pytest.mark.parametrize(("index", "words"), PLACES, ids=[words for _, words in PLACES])
def test_the_place_of_a_difference_is_named_by_its_axes(index, words):
    got = IMAGE.clone()
    got[index] += torch.rand(got[index].shape) + 1
    assert words in mismatch(got, IMAGE).where


def test_a_wrong_border_is_recognized():
    expected = torch.rand(1, 1, 4, 4)
    got = expected.clone()
    got[..., 0, :] += 1
    got[..., :, -1] -= 1
    assert "only the border is wrong" in mismatch(got, expected).where


def test_a_transpose_is_recognized():
    expected = torch.rand(1, 1, 3, 3)
    assert "transpose" in mismatch(expected.mT.clone(), expected).where


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (1, 1.0),
        ([1, 2], (1, 2)),
        ({"a": torch.ones(2)}, {"a": torch.ones(2)}),
        (torch.tensor(1.0), torch.tensor(1.0)),
    ],
)
def test_differences_without_consequence_pass(got, expected):
    assert_matches(got, expected)


@pytest.mark.parametrize(("got", "expected"), [(1.0, 1), (True, 1), ("1", 1), (float("nan"), 1.0), (2, 3)])
def test_scalars_are_compared_with_their_type(got, expected):
    mismatch(got, expected)


def test_missing_and_extra_keys_are_both_named():
    found = mismatch({"weight": 1, "wieght": 2}, {"weight": 1, "bias": 2})
    assert "lacks `bias`" in found.rationale
    assert "has `wieght`" in found.rationale


def test_a_dtype_can_be_left_to_a_check_of_its_own():
    assert_matches(IMAGE.double(), IMAGE, check_dtype=False)


SHARES = [
    # got, expected, tolerances, what is used of them
    (torch.tensor([1.0, 2.5]), torch.tensor([1.0, 2.0]), {"atol": 1.0, "rtol": 0.0}, [0.5]),
    (torch.tensor([1.0, 2.5]), torch.tensor([1.0, 2.0]), {"atol": 0.0, "rtol": 1.0}, [0.25]),
    (1.25, 1.0, {"atol": 0.5, "rtol": 0.1}, [0.5]),
    ([1.25, 1.0], [1.0, 1.0], {"atol": 0.1, "rtol": 0.4}, [0.5, 0.0]),
    (torch.tensor([float("inf"), float("nan")]), torch.tensor([float("inf"), float("nan")]), {}, [0.0]),
    (torch.tensor([1, 2]), torch.tensor([1, 2]), {}, []),  # whole numbers have no tolerance
    (IMAGE, IMAGE * 2, {"atol": float("inf")}, []),
    (torch.ones(0), torch.ones(0), {}, []),
    (3, 3, {}, []),
]


@pytest.mark.parametrize(("got", "expected", "tolerances", "shares"), SHARES)
def test_how_much_of_its_tolerance_a_comparison_uses_is_measured_on_request(
    got, expected, tolerances, shares
):
    assert_matches(got, expected, **tolerances)
    with measuring() as found:
        assert_matches(got, expected, **tolerances)
    assert found == pytest.approx(shares)


def test_inputs_depend_on_the_seed_and_the_check_and_nothing_else():
    assert seed_of(1, "test_a") == seed_of(1, "test_a")
    assert len({seed_of(seed, check) for seed in range(3) for check in ("test_a", "test_b")}) == 6


_NUMBERS = itertools.count()


def run(tmp_path: Path, text: str, **options: bool):
    """Run a suite and return what was reported."""
    path = tmp_path / f"test_of_{next(_NUMBERS)}.py"  # a module is imported once in a process
    path.write_text(f"import pytest, torch\n{text}", encoding="utf-8")
    runs = []

    def report(finished):
        runs.append(finished)
        return finished.error is None and not finished.waits_for

    start = lambda _: Conversation(backend=None)  # noqa: E731
    run_checks(collect(path), seed=0, start=start, report=report, **options)
    return runs


def test_nothing_beside_or_above_the_folder_of_a_suite_is_read(tmp_path, monkeypatch):
    looked_at = []

    class Watching(plugin._Collector):
        def pytest_ignore_collect(self, collection_path):
            looked_at.append(collection_path)

    folder = tmp_path / "a_suite"
    folder.mkdir()
    (tmp_path / "another_suite").mkdir()
    (folder / "reference.py").touch()
    path = folder / "test_of_a_folder.py"
    path.write_text(
        "import pytest\n@pytest.mark.points(1)\ndef test_a(student):\n    'A'\n", encoding="utf-8"
    )
    monkeypatch.setattr(plugin, "_Collector", Watching)
    assert [check.spec.id for check in collect(path)] == ["test_a"]
    assert looked_at == [folder / "reference.py"]


def test_a_check_waits_for_the_checks_it_requires(tmp_path):
    text = '''
@pytest.mark.points(1)
def test_first(student):
    """First"""
    assert False, "wrong"

@pytest.mark.points(2)
@pytest.mark.requires("test_first")
def test_second(student):
    """Second"""
'''
    first, second = run(tmp_path, text)
    assert isinstance(first.error, AssertionError)
    assert second.waits_for == "test_first"
    assert (second.spec.title, second.spec.points) == ("Second", 2.0)


def test_with_first_failure_nothing_runs_after_it(tmp_path):
    checks = [
        f"@pytest.mark.points(1)\ndef test_{n}(student):\n    'Check {n}'\n    assert {n} != 1\n"
        for n in range(3)
    ]
    assert [run.spec.id for run in run(tmp_path, "\n".join(checks))] == ["test_0", "test_1", "test_2"]
    assert [run.spec.id for run in run(tmp_path, "\n".join(checks), first_failure=True)] == [
        "test_0",
        "test_1",
    ]


SELECTED = """
@pytest.mark.points(1)
def test_a(student): "A"

@pytest.mark.points(1)
@pytest.mark.requires("test_a")
def test_b(student): "B"

@pytest.mark.points(1)
@pytest.mark.requires("test_b")
def test_c(student): "C"

@pytest.mark.points(1)
def test_d(student): "D"
"""


@pytest.mark.parametrize(
    ("only", "run"),
    [
        ((), "abcd"),
        (("test_a",), "a"),
        (("test_c",), "abc"),
        (("test_d", "test_b"), "abd"),
    ],
)
def test_the_checks_that_are_asked_for_run_with_those_they_require(tmp_path, only, run):
    path = tmp_path / f"test_of_{next(_NUMBERS)}.py"
    path.write_text(f"import pytest\n{SELECTED}", encoding="utf-8")
    assert [check.spec.id for check in selected(collect(path), only)] == [f"test_{one}" for one in run]


def test_a_check_that_does_not_exist_cannot_be_asked_for(tmp_path):
    path = tmp_path / f"test_of_{next(_NUMBERS)}.py"
    path.write_text(f"import pytest\n{SELECTED}", encoding="utf-8")
    with pytest.raises(ValueError, match="no check of the suite is called test_e"):
        selected(collect(path), ("test_a", "test_e"))


def test_the_generator_is_the_same_in_every_run(tmp_path):
    text = '''
@pytest.mark.points(1)
def test_draw(rng):
    """Draw"""
    raise ValueError(torch.rand(3, generator=rng).tolist(), torch.rand(1).tolist())
'''
    (one,), (other,) = run(tmp_path, text), run(tmp_path, text)
    assert str(one.error) == str(other.error)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('def test_a(student):\n    """T"""', "needs its points"),
        ("@pytest.mark.points(1)\ndef test_a(student):\n    pass", "needs a docstring"),
        ('@pytest.mark.points(1)\ndef test_a(tmp_path):\n    """T"""', "a check has `student` and `rng`"),
        ("import no_such_module", "no_such_module"),
        ("x = 1", "cannot be run"),
    ],
)
def test_a_suite_that_breaks_the_rules_is_an_error_of_the_course(tmp_path, text, words):
    with pytest.raises(DocumentError, match=words):
        run(tmp_path, text)


def test_a_suite_may_import_the_strategies_by_their_old_name(tmp_path, monkeypatch):
    """Suites of existing courses say `from grader.feedback.strategies import images`."""
    monkeypatch.delitem(sys.modules, "grader.feedback", raising=False)
    monkeypatch.delitem(sys.modules, "grader.feedback.strategies", raising=False)
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("grader.feedback.strategies")
    old_names.register()
    old = importlib.import_module("grader.feedback.strategies")
    assert {"images", "vectors"} <= vars(old).keys()
    assert old.__file__ == importlib.import_module("grader.suite.strategies").__file__
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("grader.feedback.diagnosis")


# --- limits: just below and just above each

F16, BF16, F32, F64, I64 = torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int64
TOLERANCES = {  # rtol and atol, by the dtype of what is expected; whole numbers take those of float32
    F64: (1e-7, 1e-7),
    F32: (1.3e-6, 1e-5),
    F16: (1e-3, 1e-5),
    BF16: (1.6e-2, 1e-5),
    I64: (1.3e-6, 1e-5),
}


@pytest.mark.parametrize("expected", TOLERANCES, ids=str)
@pytest.mark.parametrize("value", [0.0, 1000.0])
def test_the_tolerance_is_that_of_the_expected_dtype(expected, value):
    rtol, atol = TOLERANCES[expected]
    allowed = atol + rtol * value
    right = torch.tensor([value], dtype=expected)
    near, far = (torch.tensor([value + share * allowed], dtype=F64) for share in (0.9, 1.6))
    assert_matches(near, right, check_dtype=False)
    mismatch(far, right, check_dtype=False)


@pytest.mark.parametrize("got", [F16, BF16, F32, F64], ids=str)
@pytest.mark.parametrize("expected", [F16, F32, F64, I64], ids=str)
@pytest.mark.parametrize("options", [{}, {"atol": 1e-4}], ids=str)
def test_no_dtype_of_a_result_buys_a_wider_tolerance(got, expected, options):
    right = torch.tensor([1000.0, 3.0], dtype=expected)
    wrong = (right.double() * 1.012).to(got)
    mismatch(wrong, right, check_dtype=False, **options)
    mismatch([wrong], [right], check_dtype=False, **options)
    mismatch({"x": wrong}, {"x": right}, check_dtype=False, **options)


@pytest.mark.parametrize("got", [F16, BF16], ids=str)
def test_no_dtype_of_a_result_buys_a_wider_tolerance_of_its_gradient(got):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(Mismatch):
        assert_gradient((x * 1.012).to(got), x * 1.0, {"x": x})


@pytest.mark.parametrize(("expected", "allowed"), [(0.0, 1e-8), (1000.0, 1e-3), (-1000.0, 1e-3)])
def test_the_tolerance_of_a_number(expected, allowed):
    for sign in (1, -1):
        assert_matches(expected + sign * 0.99 * allowed, expected)
        mismatch(expected + sign * 1.01 * allowed, expected)


def test_a_number_is_written_out_up_to_1024_bits():
    assert "bits" not in mismatch(2**1024 - 1, 0).rationale
    assert "is a number of 1025 bits, not 0" in mismatch(2**1024, 0).rationale


@pytest.mark.parametrize(
    ("count", "words"), [(6, "lacks `0`, `1`, `2`, `3`, `4`, `5`."), (7, "`5` and 1 more.")]
)
def test_six_keys_are_listed(count, words):
    assert mismatch({}, dict.fromkeys(range(count), 1)).rationale.endswith(words)
