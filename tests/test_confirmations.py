"""A sentence that says how a student's code is written is said only where that is seen in the code."""

import ast
import importlib
import re
import sys

import pytest

from grader import mistakes as offered
from grader.core.python_source import nodes
from grader.course import catalog
from grader.course.confirmations import code_of
from grader.course.known_mistakes import KNOWN, Mistake, mistake, read_mistakes

COURSE = catalog.load(catalog.find_root())

# Words for how code is written; what comes after a colon is advice, and after "as" a comparison.
_WRITTEN = re.compile(
    r"\b(loops?|views?|reshapes?|permutes?|attributes?|local names?|locals|buffers?|in[- ]place)\b|\bself\.\w"
    r"|\btorch\.\w+|\b[Yy]ou (call|ask|assign|loop|index|slice|reshape|permute|flatten|detach|clone|copy|wrap)\b"
    r"|\bview\(|\breshape\("
)
# A function or a piece of code that is named, where the sentence does not say that the results are those of it.
_NAMED = re.compile(r"`[^`]*[(./=*][^`]*`|\b[a-z_][\w.]*\(|\.\w+\(|\bnamed_\w+")
_RESULTS = re.compile(r"(Your results? (are|is)|That is|This is|These are|Phi\(x\) is)\b")
_ADVICE = re.compile(
    r"(Write|Use|Return|Run|Make|Give|Keep|Store|Take|Ask|Set|Try|Build|Call|Put|Pad|Look|Wrap)\b"
)
# Sentences that use such a word and need no look at the code, each with the reason.
CERTAIN = {
    "reshape-no-permute": "a rule on reshape; that channels are mixed is the result",
    "grad-mode-decides": "the suite switches gradients off, and the result changes: only that mode can decide",
    "plain-attributes": "the state_dict lacks them, which is the result",
    "counter-missing": "the state_dict lacks it, which is the result",
    "padded-float32": "a rule on torch.zeros; the dtype is the result",
    "always-float32": "a rule on torch.zeros; the dtype is the result",
    "counts-buffers-too": "the number that is returned is that with the buffers",
    "counts-the-state": "the number that is returned is that with the buffers",
    "flags-only": "a rule on running statistics, which change in the result",
    "returns-parameters": "what is returned is the list of parameters",
    "batch-in-view": "torch's own message on sizes is the result",
    "view-moves-into-batch": "the number of rows that come back is the result",
    "name-typo": "the AttributeError is the result",
    "groups-of-the-batch": "a rule on reshape; that the whole batch is one is the result",
    "group-in-place": "the caller's tensor is changed, which is the result",
    "reshape-trick": "torch's own message on sizes is the result",
    "builtin-max": "the sentence begins with the error that is the result",
    "with-indices": "a tuple of values and indices is the result",
    "view-of-any-image": "torch's own message on strides is the result",
    "views-x": "torch's own message on strides is the result",
    "without-a-graph": "torch's own message on the missing graph is the result",
    "tracks-with-gradients-only": "the suite switches gradients off, and the statistics stand still",
    "returns-the-model": "what is returned is the model",
    "writes-zeros": "the caller's tensor is changed, which is the result",
    "in-place": "the caller's tensor is changed, which is the result",
    "unbiased-forward": "the variance is the result; the name says what has such a default",
    "eps-outside": "a formula, of the right result",
    "eval-is-not-freezing": "all layers are in evaluation mode, which is the result",
    "momentum-zero-too": "the suite calls train(), and nothing is learned",
    "minus-one-after-alpha": "a formula, of the values that came",
    "per-image-then-mean": "its second sentence is advice",
    "zero-grad-after-backward": "the optimizer of the suite keeps a journal of the calls",
    "step-before-backward": "the optimizer of the suite keeps a journal of the calls",
    "no-step": "the optimizer of the suite keeps a journal of the calls",
    "steps-twice": "the optimizer of the suite keeps a journal of the calls",
}


def claims(message: str) -> list[str]:
    """Return the parts of a sentence that say how the code is written."""
    found = []
    for sentence in re.split(r"(?<=[.!?])\s+", message):
        head = re.split(r":\s|; ", sentence)[0]
        head = re.split(r",? \bas\b ", head)[0]
        named = _NAMED.search(head) and not _RESULTS.match(head)
        if (_WRITTEN.search(head) or named) and not _ADVICE.match(head):
            found.append(head)
    return found


def registered(exercise: catalog.Exercise) -> list[Mistake]:
    """Import the known mistakes of an exercise, with their confirmations."""
    names = ("reference", "mistakes", "fixtures")
    before = {name: sys.modules.pop(name, None) for name in names}
    kept, KNOWN[:] = list(KNOWN), []
    sys.path.insert(0, str(exercise.folder))
    try:
        importlib.import_module("mistakes")
        return list(KNOWN)
    finally:
        sys.path.remove(str(exercise.folder))
        KNOWN[:] = kept
        for name, module in before.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module


@pytest.mark.parametrize("exercise", COURSE.exercises, ids=lambda exercise: exercise.id)
def test_a_sentence_on_how_code_is_written_has_a_confirmation_or_a_reason(exercise):
    confirmed = {m.id: m for m in registered(exercise) if m.confirm}
    bare = {
        listed.id: claims(listed.message)
        for listed in read_mistakes(exercise.folder / "mistakes.py")
        if listed.id not in confirmed and listed.id not in CERTAIN and claims(listed.message)
    }
    assert bare == {}
    for m in confirmed.values():
        assert claims(m.otherwise) == [], f"{m.id}: the alternative speaks of results only"


@pytest.mark.parametrize("exercise", COURSE.exercises, ids=lambda exercise: exercise.id)
def test_a_confirmation_finds_what_it_asks_for_in_its_own_mistake(exercise):
    text = (exercise.folder / "mistakes.py").read_text(encoding="utf-8")
    reference = (exercise.folder / "reference.py").read_text(encoding="utf-8")
    for m in registered(exercise):
        if m.confirm is not None:
            code = code_of(m.attribute, {"mistakes.py": text}, "mistakes")
            assert m.said_of(code) == m.message, m.id
            assert (
                m.said_of(code_of(m.name, {"reference.py": reference}, "reference")) == m.otherwise
                or m.id == "zero-init"
            )


CODE = {
    "calls": (offered.calls("view"), "return x.view(-1)", "return x.reshape(-1)"),
    "mentions": (offered.mentions("relu"), "return F.relu(x)", "return x"),
    "mentions, as text": (offered.mentions("relu"), "return getattr(x, 'relu')()", "return x.elu()"),
    "local": (offered.keeps_in_a_local("total"), "total = self.total + x", "self.total = self.total + x"),
    "local, of two": (
        offered.keeps_in_a_local("total"),
        "a, b = self.total, x",
        "self.a, self.b = self.total, x",
    ),
    "attribute": (offered.assigns_attribute("total"), "self.total = x", "total = x"),
    "reversed": (offered.goes_from_the_end, "for k in reversed(x): pass", "for k in x: pass"),
    "step": (offered.goes_from_the_end, "for k in x[::-1]: pass", "for k in x[::2]: pass"),
    "range": (offered.goes_from_the_end, "for n in range(3, -1, -1): pass", "for n in range(3): pass"),
    "augmented": (offered.writes_in_place, "x += 1", "x = x + 1"),
    "item": (offered.writes_in_place, "x[0] = 1", "y = x[0]"),
    "method": (offered.writes_in_place, "x.add_(1)", "x.add(1)"),
    "option": (offered.writes_in_place, "F.relu(x, inplace=True)", "super().__init__()"),
    "without": (offered.without(offered.calls("relu")), "return x", "return x.relu()"),
    "all": (offered.all_of(offered.calls("a"), offered.calls("b")), "a(b(x))", "a(x)"),
    "any": (offered.any_of(offered.calls("a"), offered.calls("b")), "b(x)", "c(x)"),
}


@pytest.mark.parametrize(("confirm", "yes", "no"), CODE.values(), ids=CODE)
def test_a_confirmation_sees_how_code_is_written(confirm, yes, no):
    assert confirm(nodes(ast.parse(yes)))
    assert not confirm(nodes(ast.parse(no)))


def joined(code):
    """Return the nodes of all files together, as a confirmation gets them."""
    return [node for part in code.values() for node in part]


def test_the_code_of_a_function_is_what_it_names_of_the_submissions_own():
    module = "import helper\ndef f(x):\n    return _g(x)\ndef _g(x):\n    return helper.h(x)\ndef other(x):\n    return x.view(1)\n"
    sources = {
        "a.py": module,
        "helper.py": "def h(x):\n    return x.flip(0)\ndef i(x):\n    return x.permute(0)\n",
    }
    code = joined(code_of("f", sources, "a"))
    assert offered.calls("flip")(code)
    assert not offered.calls("view", "permute")(code)
    whole = joined(code_of("elsewhere", sources, "a"))  # nothing of that name
    assert offered.calls("view")(whole)
    assert joined(code_of("f", {"a.py": "def f(:"}, "a")) == []


def test_a_class_is_one_piece_with_what_it_inherits_of_the_submission():
    text = "class Base:\n    def g(self):\n        self.n += 1\nclass Net(Base):\n    def forward(self, x):\n        return x\n"
    assert offered.writes_in_place(joined(code_of("Net", {"a.py": text}, "a")))


@pytest.mark.parametrize("given", [{"confirm": offered.calls("f")}, {"otherwise": "Else."}])
def test_a_confirmation_needs_another_sentence(given):
    with pytest.raises(ValueError, match="needs both or none"):
        mistake("f", **given)


@pytest.mark.parametrize(
    ("message", "claimed"),
    [
        ("flatten() without start_dim swallows the batch axis too: use torch.flatten(x, 1).", True),
        ("`//` rounds down, so everything becomes 0: divide with `/`.", True),
        (".max() of a slice runs over its channels too: give it dim=(-2, -1).", True),
        ("The batch axis is gone, as after flatten() without start_dim: use torch.flatten(x, 1).", False),
        ("Your results are those of x.std() + eps: divide by sqrt(var + eps).", False),
        ("Use torch.flatten(x, 1).", False),
    ],
)
def test_a_function_that_is_named_without_a_comparison_is_a_claim(message, claimed):
    assert bool(claims(message)) is claimed


FALSE = [  # what the issue found: other code with the same results, and the words that must not be said
    (
        "output_size",
        "receptive_field",
        "r = 1\n    for k, s in layers:\n        r = (r - 1) * s + k\n    return r",
        "You go through",
    ),
    ("pooling", "max_pool2d", "return _pooled(torch.relu(x), kernel_size, stride, padding)", "not from 0"),
]


@pytest.mark.parametrize(("exercise", "name", "body", "words"), FALSE, ids=[name for _, name, _, _ in FALSE])
def test_other_code_with_the_same_results_is_told_nothing_of_how_it_is_written(exercise, name, body, words):
    code = code_of(name, {"a.py": f"def {name}(*_):\n    {body}\n"}, "a")
    found = [m for m in registered(COURSE.exercise(exercise)) if m.name == name]
    assert found
    assert [m.id for m in found if words in m.said_of(code)] == []


def test_buffers_that_are_never_touched_are_not_called_local_names():
    text = "class BatchNorm2d:\n    def forward(self, x):\n        mean = x.mean((0, 2, 3))\n        return x - mean[:, None, None]\n"
    (found,) = (m for m in registered(COURSE.exercise("batchnorm")) if m.id == "running-in-locals")
    assert found.said_of(code_of("BatchNorm2d", {"a.py": text}, "a")).startswith(
        "running_mean and running_var never change"
    )
    kept = text.replace(
        "mean = x.mean((0, 2, 3))",
        "mean = x.mean((0, 2, 3))\n        running_mean = 0.9 * self.running_mean + 0.1 * mean",
    )
    assert "local names" in found.said_of(code_of("BatchNorm2d", {"a.py": kept}, "a"))
