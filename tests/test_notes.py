"""The course's text: its programs print what it says, its pictures are drawn, its links lead somewhere, and it is true."""

import contextlib
import importlib
import io
import itertools
import re
import sys
import textwrap
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parent.parent
NOTES = ROOT / "docs" / "notes"
PAGES = sorted(NOTES.glob("[0-9]*.md"))
CONTENTS = NOTES / "README.md"
EXERCISES = sorted(path.stem for path in (ROOT / "exercises").glob("*.py"))
QUIZZES = sorted(path.stem for path in (ROOT / "quizzes").glob("*.yaml"))

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
DIFFERENCES = "## Where the lecture notes differ\n"


def named(path: Path) -> str:
    return path.stem


def programs(text: str) -> Iterator[tuple[int, str, str | None]]:
    """Return each python block of a page: the line it begins on, its text, and the text block that follows it."""
    blocks = list(FENCE.finditer(text))
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        if block[1] == "python":
            follows = (
                following is not None
                and following[1] == "text"
                and not text[block.end() : following.start()].strip()
            )
            yield text.count("\n", 0, block.start(2)), block[2], following[2] if follows else None


def run(page: Path) -> Iterator[tuple[int, str, str | None]]:
    """Run a page as one program; return for each block its line, what it printed, and what the page says it prints."""
    namespace: dict[str, object] = {"__name__": page.stem}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for line, source, promised in programs(page.read_text(encoding="utf-8")):
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile("\n" * line + source, str(page), "exec"), namespace)
            yield line, printed.getvalue(), promised


def parts(page: Path) -> tuple[str, str]:
    """Return what a page teaches, and what it says about the lecture notes; neither has code in it."""
    text = page.read_text(encoding="utf-8")
    assert text.count(DIFFERENCES) == 1
    before, rest = text.split(DIFFERENCES)
    differences, heading, after = rest.partition("\n## ")
    return before + heading + after, differences


def plain(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_program_prints_what_its_page_says(page):
    ran = 0
    for line, printed, promised in run(page):
        assert printed == (promised or ""), f"{page.name}, the block after line {line}"
        ran += 1
    assert ran


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_no_text_block_stands_without_its_program(page):
    text = page.read_text(encoding="utf-8")
    promised = [output for _, _, output in programs(text) if output is not None]
    assert text.count("```text\n") == len(promised)
    assert all(promised)
    assert {language for language, _ in FENCE.findall(text)} <= {"python", "text"}


# Formulas and sums that stand in a block indented by four spaces: each is computed as it stands there.

INDENTED = re.compile(r"(?<=\n\n)(?:    .*\n)+(?=\n)")
SUM = re.compile(r"([\d(][\d\s.()·+/*-]*?) = (-?[\d.]+)")


def worked(page: Path) -> list[str]:
    """Return the indented blocks of a page that lie outside of its programs."""
    return [
        textwrap.dedent(block) for block in INDENTED.findall(FENCE.sub("", page.read_text(encoding="utf-8")))
    ]


WORKED = [(page.stem, block) for page in PAGES for block in worked(page)]


def the_right_side(block: str, **names: object) -> object:
    """Compute what stands to the right of `=` in the first line of a block, up to a wide gap."""
    formula = re.split(r"\s{3,}", block.splitlines()[0].split(" = ", 1)[1])[0]
    if " sum over " in formula:
        begin, over, term = re.fullmatch(r"(.*) sum over ([\w, ]+) of +(.*)", formula).groups()
        formula = f"{begin} sum({term} {' '.join(f'for {name} in range({name.upper()})' for name in over.split(', '))})"
    return eval(formula, {"sqrt": torch.sqrt, **names})


def size(block: str) -> bool:
    settings = itertools.product((7, 10), (1, 2, 3), (1, 2), (0, 1, 2))
    return all(
        the_right_side(block, size=n, K=k, S=s, P=p)
        == torch.nn.functional.conv1d(torch.zeros(1, 1, n), torch.zeros(1, 1, k), stride=s, padding=p).shape[
            -1
        ]
        for n, k, s, p in settings
    )


def convolution(block: str) -> bool:
    x, w, b = torch.randn(1, 2, 6, 6), torch.randn(3, 2, 3, 3), torch.randn(3)
    expected = torch.nn.functional.conv2d(x, w, b, stride=2)
    assert "top = i * stride - padding" in block
    assert "left = j * stride - padding" in block
    names = {"x": x, "w": w, "b": b, "n": 0, "C": 2, "U": 3, "V": 3}
    return all(
        torch.isclose(
            the_right_side(block, **names, o=o, top=2 * i, left=2 * j), expected[0, o, i, j], atol=1e-5
        )
        for o, i, j in itertools.product(range(3), range(2), range(2))
    )


def normalized(block: str) -> bool:
    x, weight, bias = torch.randn(8), torch.tensor(2.0), torch.tensor(-1.0)
    got = the_right_side(
        block, x=x, weight=weight, bias=bias, mean=x.mean(), var=x.var(correction=0), eps=1e-5
    )
    return torch.allclose(got, torch.nn.functional.layer_norm(x, (8,)) * weight + bias, atol=1e-5)


def running(block: str) -> bool:
    assert block.rstrip().endswith("momentum is 0.1")
    layer, x = torch.nn.BatchNorm1d(1), torch.randn(5, 1)
    layer(x)
    return torch.allclose(
        the_right_side(block, running=0.0, momentum=0.1, batch=x.mean()), layer.running_mean
    )


def gradients(block: str) -> bool:
    rows = [re.split(r"\s{2,}", line) for line in block.splitlines()]
    x, y, slope, coming, going = (torch.tensor(list(map(float, row[1:]))) for row in rows)
    leaf = x.clone().requires_grad_()
    torch.relu(leaf).backward(coming)
    return (
        torch.equal(torch.relu(x), y) and torch.equal(leaf.grad, going) and torch.equal(slope * coming, going)
    )


COMPUTED = {
    "size' =": size,
    "y[n, o, i, j] =": convolution,
    "y = weight": normalized,
    "running =": running,
    "x   ": gradients,
}


@pytest.mark.parametrize(("page", "block"), WORKED, ids=[page for page, _ in WORKED])
def test_what_is_worked_by_hand_is_right(page, block):
    torch.manual_seed(0)
    check = next((check for start, check in COMPUTED.items() if block.startswith(start)), None)
    if check is not None:
        assert check(block)
        return
    sums = [
        found
        for line in block.splitlines()
        for part in re.split(r":|\s{3,}", line)
        for found in SUM.findall(part.strip())
    ]
    assert sums, f"nothing in it can be computed: give it a check in COMPUTED\n{block}"
    for left, right in sums:
        assert eval(left.replace("·", "*")) == pytest.approx(float(right)), f"{left} = {right}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_page_has_its_parts(page):
    text = page.read_text(encoding="utf-8")
    assert text.splitlines()[2].startswith("**"), "a page begins with its question"
    assert "?**" in text.split("\n\n")[1]
    for heading in ("\n## By hand", DIFFERENCES, "\n## Your turn\n", "\n## Sources\n"):
        assert heading in text
    assert IMAGE.search(text)
    assert 60 <= text.count("\n") <= 150


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_page_links_its_exercise_and_its_quiz(page):
    turn = page.read_text(encoding="utf-8").split("\n## Your turn\n")[1].split("\n## ")[0]
    linked = set(re.findall(r"\(\.\./\.\./exercises/(\w+)\.py\)", turn))
    assert linked
    assert all(f"`grade {exercise}`" in turn for exercise in linked)
    assert re.search(r"`grade quiz \w+`", turn)


@pytest.mark.parametrize("page", [CONTENTS, *PAGES], ids=named)
def test_every_link_leads_somewhere(page):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).is_file(), target


@pytest.mark.parametrize("page", [CONTENTS, *PAGES], ids=named)
def test_every_command_names_something_that_exists(page):
    text = page.read_text(encoding="utf-8")
    for quiz in re.findall(r"`grade quiz (\w+)`", text):
        assert quiz in QUIZZES
    for exercise in re.findall(r"`grade (?:hint )?(\w+)`", text):
        assert exercise in EXERCISES


def test_no_exercise_and_no_quiz_is_left_out():
    pages = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    contents = CONTENTS.read_text(encoding="utf-8")
    for exercise in EXERCISES:
        assert f"../../exercises/{exercise}.py" in pages
        assert f"`{exercise}`" in contents
    for quiz in QUIZZES:
        assert f"`grade quiz {quiz}`" in pages
        assert f"`{quiz}`" in contents


def test_the_contents_name_only_what_exists():
    rows = re.findall(r"^\| \[.*\|([^|]*)\|([^|]*)\|$", CONTENTS.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) == len(PAGES)
    for exercises, quizzes in rows:
        assert set(re.findall(r"`(\w+)`", exercises)) <= set(EXERCISES)
        assert set(re.findall(r"`(\w+)`", quizzes)) <= set(QUIZZES)


def test_the_contents_list_every_page_in_order():
    listed = re.findall(r"\]\((\d[^)]*\.md)\)", CONTENTS.read_text(encoding="utf-8"))
    assert listed == [page.name for page in PAGES]


@pytest.mark.parametrize(("before", "after"), list(itertools.pairwise(PAGES)), ids=lambda page: page.stem)
def test_a_page_leads_to_the_next_and_back(before, after):
    assert f"]({after.name})" in before.read_text(encoding="utf-8").splitlines()[-1]
    assert f"Before: [{titled(before)}]({before.name})" in plain(after.read_text(encoding="utf-8"))


def titled(page: Path) -> str:
    return page.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")


# Pictures


@pytest.fixture(scope="module")
def studio():
    """Return the modules that draw, imported as the program imports them; they leave no trace for other tests."""
    names = ("draw", "layers", "networks", "pen")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(NOTES)
        yield {name: importlib.import_module(name) for name in names}
        for name in names:
            del sys.modules[name]


@pytest.fixture(scope="module")
def drawn(studio):
    return studio["draw"].drawn()


def test_the_pictures_are_what_the_program_draws(drawn):
    kept = {path.name: path.read_text(encoding="utf-8") for path in (NOTES / "img").iterdir()}
    assert kept == drawn, "run: python docs/notes/draw.py"


def test_every_picture_stands_in_a_page_with_its_text(drawn):
    shown = {}
    for page in PAGES:
        for words, target in IMAGE.findall(page.read_text(encoding="utf-8")):
            shown[Path(target).name] = words
    assert set(shown) == set(drawn)
    assert all(len(words) >= 60 for words in shown.values()), "a text alternative says what is to be seen"


SVG = "{http://www.w3.org/2000/svg}"


def test_every_picture_is_an_svg_for_everybody(drawn):
    for name, text in drawn.items():
        root = ET.fromstring(text)
        assert root.tag == f"{SVG}svg", name
        assert root.get("role") == "img"
        title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
        assert title is not None
        assert title.text
        assert description is not None
        assert description.text
        assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
        assert "prefers-color-scheme:dark" in text
        assert not re.search(r"url\(|@import|@font-face|href|<script|<image", text), "a picture stands alone"


def test_no_letter_is_small_and_none_leaves_its_picture(drawn):
    for name, text in drawn.items():
        root = ET.fromstring(text)
        _, _, width, height = map(float, root.get("viewBox").split())
        for letters in root.iter(f"{SVG}text"):
            size = float(letters.get("font-size"))
            assert size >= 13, (name, letters.text)
            if letters.get("transform"):
                continue  # turned by 90 degrees, in the margin
            wide = len(letters.text) * size * 0.62  # a monospaced letter; others are narrower
            before = {"start": 0.0, "middle": 0.5, "end": 1.0}[letters.get("text-anchor")]
            left = float(letters.get("x")) - before * wide
            assert left >= -0.1 * wide, (name, letters.text)
            assert left + wide <= width + 0.1 * wide, (name, letters.text)
            assert size < float(letters.get("y")) < height - 3, (name, letters.text)


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colors by WCAG 2.1."""
    lights = []
    for color in (one, other):
        values = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(lights) + 0.05) / (min(lights) + 0.05)


def test_letters_and_lines_stand_out_in_light_and_dark(studio):
    pen = studio["pen"]
    for dark in (0, 1):
        paper = pen.PAINTS["paper"][2 * dark]
        for kind, paint in pen.PAINTS.items():
            fill, stroke = paint[2 * dark : 2 * dark + 2]
            assert contrast(pen.INKS["ink"][dark], fill) >= 4.5, (kind, dark)
            assert contrast(pen.INKS["soft"][dark], fill) >= 4.5, (kind, dark)
            if kind != "paper":  # its frame is an ornament
                assert contrast(stroke, paper) >= 3, (kind, dark)


# Truth

# What the source notes say (or would have you say), a pattern that finds it, and the page that must set it right with
# the words that do. The pattern may match only where a page speaks about the notes.
CLAIMS = [
    ("One of the earliest CNNs by LeCun et al., 1998 ... Conv1 20×28×28", r"LeCun.{0,30}1998.{0,60}20 ?×", "06-lenet", "lecture variant"),
    ("LeNet-5 (1998) has max pooling", r"1998\)? (has|had|used|took) max", "04-pooling", "average pooling, in effect"),
    ("`MaxPool, K=2, S=2` (used in LeNet and AlexNet)", r"used in LeNet and AlexNet|AlexNet[^.]{0,30}K ?= ?2", "04-pooling", "AlexNet used K = 3, S = 2"),
    ("y = \\gamma \\frac{(x - \\mu)}{\\sigma} + \\beta, or (x - mean) / std", r"\\frac|\) ?/ ?(σ|std\b|sigma)", "07-1-batch-normalization", "There is no eps"),
    ("normalizes with the batch in evaluation too", r"(same|batch) (statistics )?in (training and )?evaluation too", "07-1-batch-normalization", "differently in evaluation"),
    ("Momentum weighs the old value in PyTorch", r"[Mm]omentum weighs the old", "07-1-batch-normalization", "running statistics"),
    ("y.mean(), y.std() # ≈ 0, 1", r"# ?≈ 0, 1", "07-1-batch-normalization", "is passed by the identity"),
    ("Preserves edge information; Preserve borders", r"(?i)preserves? (the )?(edge|border)", "03-padding-and-stride", "is made up"),
    ("padding='same' works with any stride", r"same\S* works with (any|every) stride", "03-padding-and-stride", "`ValueError`"),
    ("P = K // 2 always keeps the size", r"K ?// ?2 (always )?keeps", "03-padding-and-stride", "odd K only"),
    ("Conv2d computes a true convolution", r"(?i)(a true|a real) convolution", "02-convolution", "cross-correlation, plus a bias"),
    ("your filter is (K × K × C)", r"filter is `?\(K × K × C\)", "02-convolution", "C_out of them"),
    ("input image of size (H × W × C)", r"\(H × W × C\)", "02-convolution", "(N, C, H, W)"),
    ("print(y.shape)  # -> (1, 8, 32, 32)", r"# -> \(1, 8", "02-convolution", "torch.Size([1, 8, 32, 32])"),
    ("print(relu(x))  # -> tensor([[0.0, 0.5, 2.0]])", r"tensor\(\[\[0\.0, 0\.5", "05-activation", "tensor([[0.0000, 0.5000, 2.0000]])"),
    ("Fast, simple, and avoids saturation", r"avoids saturation", "05-activation", "only for positive inputs"),
    ("would behave like a linear model regardless of depth", r"linear (model )?regardless of depth", "05-activation", "A network with max pooling is not linear"),
    ("Keeps Details? yes", r"(?i)keeps (the )?details", "08-strided-convolution-or-pooling", "All of them give up positions"),
    ("learn how to downsample intelligently", r"(?i)intelligently", "08-strided-convolution-or-pooling", "cost nor aliasing"),
    ("In newer CNNs (like ResNet, EfficientNet), pooling is often replaced", r"ResNet[^.]{0,40}pooling is (often )?replaced|ResNet has no (max )?pooling", "08-strided-convolution-or-pooling", "half true"),
    ("max pooling is invariant to shifts", r"(?i)pooling is (translation[- ]|shift[- ])?invariant", "08-strided-convolution-or-pooling", "aliasing"),
    ("torchvision.models.resnet18(pretrained=True)", r"pretrained ?= ?True", "09-fine-tuning", "weights=ResNet18_Weights.DEFAULT"),
    ("for param in model.layer1.parameters(): freeze early layers", r"layer1\.parameters\(\)", "09-fine-tuning", "`conv1` and `bn1` come before it"),
    ("requires_grad = False stops the running statistics", r"requires_grad[` =A-Za-z]{0,10} (stops|freezes) (the )?running", "09-fine-tuning", "running statistics of BatchNorm layers keep moving"),
    ("LayerNorm: Within each sample; InstanceNorm: Per image/channel", r"(?i)within each sample;|per image/channel", "07-2-other-normalizations", "leave the axes open"),
    ("InstanceNorm2d has affine=True by default", r"affine=True by default", "07-2-other-normalizations", "has none unless you ask"),
    ("Focus on key info", r"(?i)focus on (key|the most important) info", "10-summary", "forgets where it was"),
    ("Instead of looking at all pixels at once", r"(?i)instead of looking at all pixels", "01-introduction", "covers the whole image"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("claim", "pattern", "page", "correction"), CLAIMS, ids=[claim[0][:40] for claim in CLAIMS]
)
def test_no_page_repeats_what_the_source_has_wrong(claim, pattern, page, correction):
    assert re.search(pattern, claim), "the guard must find what it guards against"
    for path in PAGES:
        taught, _ = parts(path)
        found = re.search(pattern, plain(taught))
        assert not found, f"{path.name}: {found[0]}"
    _, differences = parts(NOTES / f"{page}.md")
    assert correction in plain(differences)
