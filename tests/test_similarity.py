"""Similarity: disguised copies are found, independent solutions are not, and hostile files break nothing."""

import ast
import itertools
import textwrap
import zipfile
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import imagined_class
import pytest

from grader.classroom import similarity
from grader.classroom.gradebook import Gradebook
from grader.classroom.similarity import MINIMUM, Comparison, Published, SolutionSource, compare, preprocessing
from grader.classroom.similarity.comparing import PieceIndex
from grader.classroom.similarity.fragments import cut
from grader.classroom.similarity.preprocessing import Preparation
from grader.classroom.similarity.similarity_phrases import phrases
from grader.core.errors import UsageError
from grader.core.python_source import parse
from grader.core.user_folders import CACHE_VARIABLE
from grader.course import catalog

ROOT = Path(__file__).parents[1]
PEOPLE = Path(__file__).parent / "people"
COURSE = catalog.load(ROOT)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOTHING = Published(stub="")


def work(
    student: str, text: str, *, number: int = 1, module: str = "pooling", **others: object
) -> SolutionSource:
    return SolutionSource(
        student=student, module=module, sources={f"{module}.py": text}, number=number, **others
    )


@cache
def published(exercise: str) -> Published:
    return similarity.published(COURSE.exercise(exercise))


@cache
def people(exercise: str) -> dict[str, str]:
    return {path.stem: path.read_text("utf-8") for path in sorted((PEOPLE / exercise).glob("*.txt"))}


@cache
def copies(exercise: str) -> dict[str, str]:
    found = sorted((PEOPLE / "copies").glob(f"{exercise}-of-*.txt"))
    return {path.stem.removeprefix(f"{exercise}-of-"): path.read_text("utf-8") for path in found}


def scores(works: list[SolutionSource], published: Published) -> dict[frozenset[str], float]:
    """The score of every pair, without the index."""
    preparation = Preparation(published)
    index = PieceIndex([preparation.solution(one) for one in works])
    return {
        frozenset((works[a].student, works[b].student)): index.match(a, b).score
        for a, b in itertools.combinations(range(len(works)), 2)
    }


def pairs(found: Comparison) -> list[set[str]]:
    return [{pair.first.student, pair.second.student} for pair in found.pairs]


def disguised(text: str) -> str:
    """Rename everything that may be renamed, put the functions in another order, and format anew."""
    tree = ast.parse(text)
    names = {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    names |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)} - {"self"}
    fresh = {name: f"v{n}" for n, name in enumerate(sorted(names))}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = fresh.get(node.id, node.id)
        elif isinstance(node, ast.arg):
            node.arg = fresh.get(node.arg, node.arg)
    imports = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    tree.body = imports + [node for node in tree.body if node not in imports][::-1]
    return ast.unparse(tree)


# --- independent solutions, and copies of them


@pytest.mark.parametrize("exercise", ["pooling", "batchnorm"])
def test_independent_solutions_are_no_lead_and_copies_are(exercise):
    independent = [work(name, text) for name, text in people(exercise).items()]
    highest = max(scores(independent, published(exercise)).values())
    assert highest < 0.55
    assert len(copies(exercise)) == 2
    for name, text in copies(exercise).items():
        found = scores([*independent, work("copy", text)], published(exercise))
        lowest = found.pop(frozenset((name, "copy")))
        assert lowest > max(*found.values(), highest) + 0.15
        assert pairs(compare(exercise, [*independent, work("copy", text)], published(exercise))) == [
            {name, "copy"}
        ]


@pytest.mark.parametrize(("exercise", "name"), [(e, n) for e in ("pooling", "batchnorm") for n in people(e)])
def test_another_name_for_everything_in_another_order_changes_nothing(exercise, name):
    independent = [work(one, text) for one, text in people(exercise).items()]
    found = scores([*independent, work("copy", disguised(people(exercise)[name]))], published(exercise))
    assert found[frozenset((name, "copy"))] > 0.99


@pytest.mark.parametrize(
    ("thief", "victim"), [("hal", "edna"), ("bea", "ines"), ("cleo", "dov"), ("finn", "jun")]
)
def test_one_function_that_was_taken_is_a_lead(thief, victim):
    def halves(text: str) -> tuple[str, str]:
        start = text.index("def max_pool2d")
        end = text.find("\ndef ", start)
        return text[start : end if end > 0 else len(text)], text[:start] + text[end:] * (end > 0)

    taken, _ = halves(disguised(people("pooling")[victim]))
    _, own = halves(people("pooling")[thief])
    imports = "import torch\nimport torch.nn.functional as F\n"
    works = [work(name, text) for name, text in people("pooling").items() if name != thief]
    found = compare("pooling", [*works, work("thief", imports + own + taken)], published("pooling"))
    (pair,) = found.pairs
    assert {pair.first.student, pair.second.student} == {"thief", victim}
    assert pair.function == "max_pool2d"


def test_in_a_class_of_sixty_the_copies_come_first():
    chosen = (3, 17, 29)
    works = [work(f"s{n}", imagined_class.pooling(n)) for n in range(57)]
    works += [work(f"s{n} too", disguised(imagined_class.pooling(n))) for n in chosen]
    found = pairs(compare("pooling", works, published("pooling")))
    assert sorted(map(sorted, found[:3])) == sorted([f"s{n}", f"s{n} too"] for n in chosen)
    assert len(found) <= 6  # of 1,700 independent pairs


def test_few_independent_pairs_of_a_large_class_are_a_lead():
    works = [work(f"s{n}", imagined_class.pooling(n)) for n in range(200)]
    found = compare("pooling", works, published("pooling"))
    assert found.found <= 12  # of 19,900, all of them made of the same few choices
    assert imagined_class.possible() > 10**6


# --- what the normal form ignores, and what it keeps

PLAIN = """
    import torch
    import torch.nn.functional as F

    def pool(x, kernel_size, stride=None):
        if stride is None:
            stride = kernel_size
        padded = F.pad(x, (1, 1, 1, 1), mode="constant", value=0.5)
        total = 0
        for row in range(kernel_size):
            if row != stride * 2:
                total = total + padded[:, :, row::stride] * row
            else:
                total = total - padded.amax(dim=(2, 3), keepdim=True)
        return total / (kernel_size + stride)
"""
SWAPPED = [
    ("total = total + padded[:, :, row::stride] * row", "(yes)"),
    (
        "total = total - padded.amax(dim=(2, 3), keepdim=True)",
        "total = total + padded[:, :, row::stride] * row",
    ),
    ("(yes)", "total = total - padded.amax(dim=(2, 3), keepdim=True)"),
]
SAME = {
    "names": [("row", "a"), ("total", "acc"), ("padded", "wide"), ("kernel_size", "k")],
    "comments": [("total = 0", "total = 0  # the sum")],
    "a docstring": [("        if stride is None", '        """Pool."""\n        if stride is None')],
    "annotations": [("x, kernel_size,", "x: torch.Tensor, kernel_size: int,"), ("total = 0", "total: float = 0")],
    "order of keywords": [('mode="constant", value=0.5', 'value=0.5, mode="constant"')],
    "formatting": [("range(kernel_size)", "range(\n    kernel_size,\n        )")],
    "imports": [("import torch.nn.functional as F", "from torch.nn.functional import pad"), ("F.pad", "pad")],
    "another import": [("import torch.nn.functional as F", "from torch.nn import functional"), ("F.pad", "functional.pad")],
    "a conditional expression": [("if stride is None:\n            stride = kernel_size", "stride = kernel_size if stride is None else stride")],
    "its opposite": [("if stride is None:\n            stride = kernel_size", "stride = stride if stride is not None else kernel_size")],
    "an else": [("if stride is None:\n            stride = kernel_size", "if stride is None:\n            stride = kernel_size\n        else:\n            stride = stride")],
    "swapped branches": [("row != stride * 2", "row == stride * 2"), *SWAPPED],
    "not": [("row != stride * 2", "not row != stride * 2"), *SWAPPED],
    "sides of !=": [("row != stride * 2", "2 * stride != row")],
    "augmented assignment": [("total = total + padded", "total += padded")],
    "sides of + and *": [("stride * 2", "2 * stride"), ("kernel_size + stride", "stride + kernel_size")],
    "a temporary": [("return total / (kernel_size + stride)", "result = total / (kernel_size + stride)\n        return result")],
    "an annotated temporary": [("return total / (kernel_size + stride)", "result: float = total / (kernel_size + stride)\n        return result")],
    "two temporaries": [("return total / (kernel_size + stride)", "size = kernel_size + stride\n        result = total / size\n        return result")],
}  # fmt: skip
OTHER = {
    "a number": ("0.5", "0.25"),
    "a method": ("amax", "amin"),
    "an argument": ("keepdim=True", "keepdim=False"),
    "which variable": ("* row", "* stride"),
    "the order of -": ("total - padded", "padded - total"),
}


def pieces(text: str) -> set[object]:
    tree = parse(textwrap.dedent(text))
    return set(cut(list(ast.walk(tree)), frozenset()))


def replaced(changes: list[tuple[str, str]]) -> str:
    text = PLAIN
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize("changes", SAME.values(), ids=SAME.keys())
def test_a_disguise_changes_no_piece(changes):
    assert pieces(replaced(changes)) == pieces(PLAIN)


@pytest.mark.parametrize("change", OTHER.values(), ids=OTHER.keys())
def test_another_meaning_is_another_piece(change):
    assert pieces(replaced([change])) - pieces(PLAIN)
    assert pieces(PLAIN) - pieces(replaced([change]))


def test_a_word_of_a_library_is_no_name_of_the_students():
    def uses(word: str) -> set[object]:
        return pieces(f"import torch\ndef f(x, {word}):\n    return torch.clamp(x * x, min={word} + 1)")

    assert uses("low") == uses("floor")
    assert uses("low") != pieces("import torch\ndef f(x, low):\n    return torch.clamp(x * x, max=low + 1)")


def test_values_that_hold_each_other_end():
    text = "def f():\n    a = g(b, 1, 2, 3, 4)\n    b = g(a, 1, 2, 3, 4)\n    c = c + g(1, 2, 3, 4)\n"
    assert pieces(text)


# --- code that is common


@pytest.mark.parametrize("exercise", COURSE.exercises, ids=lambda exercise: exercise.id)
def test_stubs_and_solutions_of_the_course_are_no_lead(exercise):
    paths = [exercise.stub, exercise.folder / "reference.py", exercise.folder / "mistakes.py"]
    works = [
        work(f"{path.stem}{n}", path.read_text("utf-8"), module=exercise.id)
        for path in paths
        for n in range(2)
    ]
    found = compare(exercise.id, works, similarity.published(exercise), minimum=0.1)
    assert (found.students, found.found) == (6, 0)


@pytest.mark.parametrize(("holders", "expected"), [(2, 1), (5, 10), (10, 0), (12, 0)])
def test_code_that_a_third_of_the_class_has_is_no_lead(holders, expected):
    independent = [work(f"s{n}", imagined_class.pooling(n)) for n in range(30 - holders)]
    ring = [work(f"r{n}", people("pooling")["edna"]) for n in range(holders)]
    found = compare("pooling", [*independent, *ring], published("pooling"))
    assert len([pair for pair in found.pairs if pair.first.student[0] == "r"]) == expected


def test_a_match_of_little_code_is_no_lead():
    text = "def f(x):\n    return x.clamp(min=0).pow(3).sum(dim=1) / 7\n"
    assert not compare("relu", [work("ada", text), work("bob", text)], NOTHING).pairs


# --- the index


@pytest.mark.parametrize("minimum", [0.2, 0.5, 0.8])
def test_the_index_misses_nothing(minimum):
    works = [work(f"s{n}", imagined_class.pooling(n)) for n in range(40)]
    works += [work(name, text) for name, text in people("pooling").items()]
    works += [work(f"{name} too", text) for name, text in copies("pooling").items()]
    expected = {
        pair: score for pair, score in scores(works, published("pooling")).items() if score >= minimum
    }
    found = compare("pooling", works, published("pooling"), minimum=minimum, most=10**6)
    assert {frozenset((p.first.student, p.second.student)): p.score for p in found.pairs} == expected
    assert found.found == len(expected)


def test_most_pairs_are_never_compared(monkeypatch):
    compared = []
    match = PieceIndex.match
    monkeypatch.setattr(PieceIndex, "match", lambda self, a, b: compared.append((a, b)) or match(self, a, b))
    compare("pooling", [work(f"s{n}", imagined_class.pooling(n)) for n in range(300)], published("pooling"))
    assert 0 < len(compared) < 300 * 299 / 2 / 4


# --- attempts, and people outside the class

EDNA = people("pooling")["edna"]
OTHERS = [work(name, text) for name, text in people("pooling").items() if name != "edna"]


def test_an_earlier_attempt_counts_and_is_named():
    works = [
        *OTHERS, work("edna", EDNA, number=1, submitted_at=NOON), work("edna", people("pooling")["abe"], number=2),
        work("zed", disguised(EDNA), number=3), work("zed", disguised(EDNA) + "\n# at last\n", number=4),
    ]  # fmt: skip
    found = compare("pooling", works, published("pooling"))
    (pair,) = (pair for pair in found.pairs if "zed" in (pair.first.student, pair.second.student))
    assert (pair.first.student, pair.first.number, pair.first.submitted_at) == ("edna", 1, NOON)
    assert (pair.second.student, pair.second.number) == ("zed", 3)  # piece for piece, 4 is 3


def test_a_students_own_attempts_are_no_pair_and_are_one_holder():
    works = [work("edna", EDNA + f"x{n} = 1\n", number=n) for n in range(30)]
    assert not compare("pooling", works, published("pooling")).found
    found = compare("pooling", [*works, work("zed", EDNA)], published("pooling"))
    assert pairs(found) == [{"edna", "zed"}]


def test_people_outside_are_compared_with_the_class_and_not_with_each_other():
    outside = [work(name, EDNA, number=0, outside=True) for name in ("edna", "gone")]
    found = compare("pooling", [*OTHERS, work("edna", EDNA), *outside], published("pooling"))
    assert sorted((p.first.student, p.second.student, p.second.outside) for p in found.pairs) == [
        ("edna", "edna", True),
        ("edna", "gone", True),
    ]
    assert found.students == 10


# --- the explanation


def test_a_pair_is_explained_line_by_line():
    extra = "\n\ndef shape_of(x):  # recieve a tensor and tell me\n    return x.shape[0] * 1234.5\n"
    mine, yours = EDNA + extra, "# one\x0cline\n\n" + disguised(EDNA) + extra
    found = compare("pooling", [*OTHERS, work("edna", mine), work("zed", yours)], published("pooling"))
    (pair,) = found.pairs
    assert pair.score > 0.99
    assert pair.alone > pair.pieces / 2
    assert pair.others == 0
    assert pair.wording[0] == 'comment "recieve a tensor and tell me"'
    assert {'name "shape_of"', 'number "1234.5"'} <= set(pair.wording)
    assert [block.weight for block in pair.blocks] == sorted((b.weight for b in pair.blocks), reverse=True)
    (best,) = (block for block in pair.blocks if "torch.maximum" in "".join(block.first.text))
    lines = mine.split("\n")
    assert list(best.first.text) == [line.rstrip() for line in lines[best.first.first - 1 : best.first.last]]
    assert "torch.maximum" in "".join(best.second.text)


def test_a_pair_counts_the_other_students_who_have_its_code():
    ring = [work(f"r{n}", EDNA) for n in range(4)]
    found = compare("pooling", [*OTHERS, *(work(f"s{n}", imagined_class.pooling(n)) for n in range(20)), *ring],
                    published("pooling"))  # fmt: skip
    assert [pair.others for pair in found.pairs if pair.first.student[0] == "r"] == [2] * 6


def test_helpers_that_are_imported_belong_to_a_solution():
    main = "from helper.parts import *\n"
    one, two = (
        SolutionSource(
            student=name,
            module="pooling",
            sources={"pooling.py": main, "helper/parts.py": EDNA, "other.py": "("},
        )
        for name in ("edna", "zed")
    )
    (pair,) = compare("pooling", [*OTHERS, one, two], published("pooling")).pairs
    assert {block.first.path for block in pair.blocks} == {"helper/parts.py"}


# --- hostile solutions

DEEP = "x = " + "(" * 150 + "1" + ")" * 150
HOSTILE = {
    "a syntax error": ("def f(:", "not valid Python"),
    "a null byte": ("x = 1\0", "not valid Python"),
    "brackets": ("x = " + "[" * 5000, "not valid Python"),
    "a long sum": ("x = " + "+".join("a" * 20_000), ""),
    "a deep attribute": ("x = a" + ".b" * 20_000, ""),
    "a deep tree": ("x = " + "-" * 900 + "1", ""),
    "too much": ("x = 1\n" * 100_000, "larger than"),
    "a lone surrogate": ("x = '\\ud800' + f(1, 2, 3, 4)  # \\ud800", None),
    "a long number": (f"x = f(0x{'f' * 20_000}, 1, 2, 3, 4)", None),
    "an endless name": ("x" * 50_000 + " = f(1, 2, 3, 4, 5)", None),
    "unicode": ("\N{GREEK SMALL LETTER ALPHA} = f(1, 2, 3, 4, '\N{RIGHT-TO-LEFT OVERRIDE}')", None),
    "a bad escape": ("x = '\\d' + f(1, 2, 3, 4)", None),
    "depth": (DEEP, None),
}  # fmt: skip


@pytest.mark.parametrize(("text", "problem"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_solution_that_cannot_be_compared_is_named_and_the_others_are_compared(text, problem):
    works = [*OTHERS, work("edna", EDNA), work("zed", disguised(EDNA)), work("mal", text)]
    found = compare("pooling", works, published("pooling"))
    assert {"edna", "zed"} in pairs(found)
    unread = [(one.student, one.number) for one in found.unread]
    assert unread == ([] if problem is None else [("mal", 1)])
    assert not problem or problem in found.unread[0].reason


def test_a_solution_of_many_files_has_a_bound():
    files = {f"m{n}.py": "y = 1\n" * 5000 for n in range(9)}
    main = "".join(f"import m{n}\n" for n in range(9))
    mal = SolutionSource(student="mal", module="pooling", sources={"pooling.py": main, **files})
    (unread,) = compare("pooling", [mal], NOTHING).unread
    assert "larger than" in unread.reason
    assert sum(map(len, files.values())) > preprocessing.MAX_CHARACTERS


def test_equal_large_solutions_are_compared_within_limits():
    text = "\n".join(
        f"def f{n}(x):\n    return g(x, {n}, h(x + {n}, {n}), k[{n} : {n}])" for n in range(1400)
    )
    assert len(text) < preprocessing.MAX_CHARACTERS
    (pair,) = compare("pooling", [work("a", text), work("b", text)], NOTHING).pairs
    assert len(pair.blocks) <= 6
    assert all(len(block.first.text) <= 30 for block in pair.blocks)


# --- reading


def test_the_folder_of_one_solution_and_of_several(tmp_path):
    (tmp_path / "one" / "exercises").mkdir(parents=True)
    (tmp_path / "one" / "exercises" / "pooling.py").write_text(EDNA, "utf-8")
    alone = similarity.of_folder(tmp_path / "one", ["relu", "pooling"], pytest.fail)
    assert [(one.student, one.outside, one.root) for one in alone["pooling"]] == [("one", True, "exercises/")]
    assert alone["relu"] == []
    assert similarity.of_folder(tmp_path, ["relu", "pooling"], pytest.fail) == alone
    with pytest.raises(UsageError, match="holds no solution of relu"):
        similarity.of_folder(tmp_path, ["relu"], pytest.fail)
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as made:
        made.writestr("exercises/pooling.py", EDNA)
    assert [one.student for one in similarity.of_folder(tmp_path, ["pooling"], pytest.fail)["pooling"]] == [
        "one",
        "two",
    ]
    assert len(similarity.of_folder(tmp_path / "two.zip", ["pooling"], pytest.fail)["pooling"]) == 1
    with pytest.raises(UsageError, match="holds no solution of relu"):
        similarity.of_folder(tmp_path / "two.zip", ["relu"], pytest.fail)


def test_a_hand_in_that_was_graded_twice_comes_once(tmp_path):
    from test_statistics import RIGHT, add, report

    with Gradebook(tmp_path / "book.db") as book:
        for hours in (0, 0, 1):
            add(book, "ada", report(RIGHT), hours)
        assert [(one.student, one.number) for one in book.hand_ins()] == [("ada", 1), ("ada", 2)]


def test_what_was_read_is_cached(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    works = [*OTHERS, work("edna", EDNA), work("zed", disguised(EDNA)), work("mal", "def (")]
    with similarity.open_cache() as cache:
        first = compare("pooling", works, published("pooling"), cache=cache)
        monkeypatch.setattr(preprocessing, "_read", None)  # a second read raises
        assert compare("pooling", works, published("pooling"), cache=cache) == first
        monkeypatch.undo()
    assert compare("pooling", works, published("pooling")) == first
    assert {"edna", "zed"} in pairs(first)


def test_the_minimum_lies_between_independent_solutions_and_copies():
    assert 0.6 < MINIMUM <= 0.74


# --- limits: just below and just above


@pytest.mark.parametrize(("operands", "count"), [(5, 0), (6, 1)])
def test_a_piece_has_six_nodes_or_more(operands, count):
    # `f(a, ...)` is a Call with its names; a statement adds one node, its Expr
    (call,) = ast.parse(f"f({', '.join('abcdefg'[: operands - 3])})").body
    found = cut(list(ast.walk(call)), frozenset())
    assert len(found) == count


@pytest.mark.parametrize(("nodes", "is_piece"), [(250, True), (251, False)])
def test_a_piece_has_250_nodes_or_fewer(nodes, is_piece):
    found = pieces(f"f({', '.join(['a'] * (nodes - 2))})")  # a Call and the name f besides
    assert {piece.weight for piece in found} == ({nodes} if is_piece else set())


@pytest.mark.parametrize(("over", "is_compared"), [(0, True), (1, False)])
@pytest.mark.parametrize("files", [1, 2])
def test_a_solution_has_100000_characters_or_fewer(over, is_compared, files):
    helper = "# " + "x" * 50_000 + "\n" if files == 2 else ""
    head = "import helper\n"
    text = head + "#" * (preprocessing.MAX_CHARACTERS - len(head) - len(helper) + over)
    sources = {"pooling.py": text} | ({"helper.py": helper} if helper else {})
    found = compare("pooling", [SolutionSource(student="ada", module="pooling", sources=sources)], NOTHING)
    assert (found.unread == ()) is is_compared
    if not is_compared:
        assert found.unread[0].reason == "it is larger than the limit of 100,000 characters"


def spoken(text: str) -> set[tuple[str, str, int]]:
    return {tuple(phrase) for phrase in phrases(text, list(ast.walk(ast.parse(text))))}


@pytest.mark.parametrize(("words", "weight"), [(2, None), (3, 3), (12, 12), (13, 12)])
def test_a_comment_has_three_words_and_a_weight_of_at_most_twelve(words, weight):
    text = " ".join(["word"] * words)
    assert spoken(f"# {text}") == ({("comment", text, weight)} if weight else set())


@pytest.mark.parametrize(("text", "expected"), [
    ("out = 1", set()), ("outs = 1", {("name", "outs", 1)}),
    ("x = 129", set()), ("x = 130", {("number", "130", 1)}),
    ("x = 0.5", set()), ("x = 0.25", {("number", "0.25", 1)}),
])  # fmt: skip
def test_short_names_and_usual_numbers_are_no_phrases(text, expected):
    assert spoken(text) == expected


@pytest.mark.parametrize(("gap", "blocks"), [(4, 1), (5, 2)])
def test_a_block_continues_over_a_gap_of_three_lines(gap, blocks):
    # `_GAP` is the distance of two matching lines: 4 has three lines between
    def lines(other: str) -> str:
        between = "\n".join(f"{other}{n} = {n}" for n in range(gap - 1))
        body = "first = f(1, 2, 3, 4, 5, 6, 7)"
        return "\n".join([body, between, "last = g(7, 6, 5, 4, 3, 2, 1)"])

    found = compare("pooling", [work("a", lines("x")), work("b", lines("y"))], NOTHING, minimum=0.1)
    (pair,) = found.pairs
    assert len(pair.blocks) == blocks


@pytest.mark.parametrize(("lines", "shown"), [(29, 29), (30, 30), (31, 30)])
def test_an_excerpt_shows_at_most_thirty_lines(lines, shown):
    text = "\n".join(f"x{n} = f({n}, 2, 3, 4, 5, 6, 7)" for n in range(lines))
    (pair,) = compare("pooling", [work("a", text), work("b", text)], NOTHING).pairs
    (block,) = pair.blocks
    assert len(block.first.text) == shown
    assert block.first.last == lines


@pytest.mark.parametrize(("calls", "is_full"), [(4, False), (5, True)])
def test_a_match_of_little_code_scores_below_one(calls, is_full):
    # 9 nodes a statement: 36 and 45, beside the 40 that a solution counts at least
    text = "\n".join(f"xs = f({n}, {n}, {n}, {n}, {n})" for n in range(calls))
    solutions = [Preparation(NOTHING).solution(work(name, text)) for name in "ab"]
    score = PieceIndex(solutions).match(0, 1).score
    assert score == (1.0 if is_full else pytest.approx(36 / 40))


@pytest.mark.parametrize(
    ("students", "holders", "value"), [(12, 5, True), (12, 6, False), (30, 9, True), (30, 10, False)]
)
def test_a_piece_counts_below_a_third_of_the_class_and_six_students(students, holders, value):
    common = "xs = f(1, 2, 3, 4, 5)"
    own = [f"xs = g({n}, {n}, {n}, {n}, {n})" for n in range(students)]
    works = [work(f"s{n}", common if n < holders else own[n]) for n in range(students)]
    index = PieceIndex([Preparation(NOTHING).solution(one) for one in works])
    piece = next(iter(index.solutions[0].code))
    assert (index.value(piece) > 1e-9) is value


@pytest.mark.parametrize(("others", "is_shown"), [(0, True), (1, False)])
def test_wording_is_shown_where_no_third_student_has_it(others, is_shown):
    comment = "\n# a comment that is rather odd\n"
    works = [work("edna", EDNA + comment), work("zed", EDNA + comment)]
    works += [work(f"o{n}", people("pooling")["abe"] + comment) for n in range(others)]
    (pair,) = (
        pair
        for pair in compare("pooling", works, published("pooling")).pairs
        if {pair.first.student, pair.second.student} == {"edna", "zed"}
    )
    assert any("rather odd" in text for text in pair.wording) is is_shown


@pytest.mark.parametrize("most", [0, 1, 2])
def test_at_most_so_many_pairs_are_explained_and_all_are_counted(most):
    works = [work(name, EDNA) for name in "abc"]
    found = compare("pooling", works, NOTHING, most=most)
    assert (found.found, len(found.pairs)) == (3, most)
