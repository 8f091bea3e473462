"""What a submission may import is one list at every level: torch, numpy, the standard library, and its own files."""

import importlib
import sys
from types import ModuleType

import pytest

from grader.core.model import Outcome
from grader.grading.engine.proxy import failure
from grader.sandbox.worker.importer import MemoryFinder
from grader.sandbox.worker.service.exceptions import raised


def load(text: str, **files: str) -> ModuleType | str:
    """Import a file as a worker does; return the module, or the sentence that its student reads."""
    finder = MemoryFinder({"hand_in.py": text} | {f"{name}.py": source for name, source in files.items()})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "meta_path", list(sys.meta_path))
        patch.setattr(importlib, "import_module", importlib.import_module)
        patch.setitem(sys.modules, "hand_in", ModuleType("hand_in"))
        for name in files:
            patch.delitem(sys.modules, name, raising=False)
        finder.install()
        try:
            return finder.load("hand_in")
        except BaseException as error:  # noqa: BLE001 - whatever the file raises
            found = failure("import hand_in", raised(0, error, finder.files))
            assert found.outcome is Outcome.RAISED
            assert found.traceback
            return found.sentence
        finally:
            for name in files:
                sys.modules.pop(name, None)


# All of these are installed where tests run, or nowhere: that makes no difference.
UNUSED = [
    "import pytest",
    "import matplotlib.pyplot as plt",
    "import nowhere.at.all",
    "from tqdm import tqdm",
    "from PIL import Image, ImageDraw",
    "import importlib\nplt = importlib.import_module('matplotlib.pyplot')",
    "plt = __import__('matplotlib')",
    "def show(x):\n    import matplotlib.pyplot as plt\n    plt.imshow(x)",
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from jaxtyping import Float\ndef f(x: 'Float'): return x",
]
ALLOWED = [
    "import torch.nn.functional as F\nF.relu",
    "from torch import nn\nnn.Conv2d(1, 1, 1)",
    "import numpy as np\nnp.ones(1)",
    "import os.path, math\nmath.floor(os.path.sep == '/')",
    "import importlib\nimportlib.import_module('torch.nn').Linear",
    "import helper\nassert helper.two == 2",
    "from torch.utils.tensorboard import SummaryWriter",
    "from helper import two\nassert two == 2",
]
USED = [
    ("import pytest\npytest.mark", "pytest"),
    ("import matplotlib.pyplot as plt\nplt.rcParams['figure.dpi'] = 100", "matplotlib.pyplot"),
    ("import matplotlib.pyplot\nmatplotlib.pyplot.show()", "matplotlib.pyplot"),
    ("from tqdm import tqdm\nfor n in tqdm([1]): pass", "tqdm.tqdm"),
    ("from PIL import Image\nImage.open('x.png')", "PIL.Image"),
    ("from PIL import Image\nisinstance(1, Image)", "PIL.Image"),
    ("from lightning import Module\nclass Net(Module): pass", "lightning.Module"),
    ("from scipy.signal import convolve2d as c\nc(1, 2)", "scipy.signal.convolve2d"),
    ("import scipy\nif scipy: pass", "scipy"),
    ("import scipy\nprint(scipy.__doc__)", "scipy"),
    ("import scipy\nprint(scipy.__version__, scipy.__name__)", "scipy"),
    (
        "from torch.utils.tensorboard import SummaryWriter\nSummaryWriter()",
        "torch.utils.tensorboard.SummaryWriter",
    ),
    ("import torch.utils.tensorboard", "tensorboard"),
    ("from pylab import *", "pylab"),
    ("from importlib import import_module as load\nload('scipy.signal').convolve", "scipy.signal"),
    ("import helper\nhelper.f()", "seaborn"),
]
HELPER = "import seaborn\ntwo = 2\ndef f(): return seaborn.heatmap"


@pytest.mark.parametrize("text", [*UNUSED, *ALLOWED])
def test_an_import_that_is_allowed_or_never_used_costs_nothing(text):
    assert isinstance(load(text, helper=HELPER), ModuleType)


@pytest.mark.parametrize(("text", "name"), USED)
def test_what_is_used_of_another_package_is_named_in_a_plain_sentence(text, name):
    assert load(text, helper=HELPER) == (
        f"`{name}` is not there while your code is graded, which may use torch, numpy, Python's standard library "
        "and the Python files beside it."
    )


@pytest.mark.parametrize(
    "caught", ["ImportError", "ModuleNotFoundError", "(OSError, ImportError)", "Exception", ""]
)
def test_code_that_asks_whether_a_package_is_there_gets_its_answer(caught):
    text = f"try:\n    import pytest as p\nexcept {caught}:\n    p = None\nassert p is None\n"
    assert isinstance(load(text), ModuleType)


def test_what_torch_imports_is_not_decided():
    assert isinstance(load("import torch\nimport torch.testing._internal.common_dtype"), ModuleType)


def test_display_is_there_as_in_a_notebook(capsys):
    assert isinstance(load("display(1, 'two')"), ModuleType)
    assert capsys.readouterr().out == "1\n'two'\n"


def test_the_list_is_the_same_in_a_worker(grade, check):
    result = grade(
        "import pytest\nimport nowhere\n\ndef total(x, start=0.0):\n    return pytest.approx(start)\n"
    )
    assert "`pytest` is not there while your code is graded" in check(result, "test_total").rationale
    assert check(result, "test_values").outcome is Outcome.PASSED


COMPILED = """
@torch.compile
def double(x):
    return 2 * x

@torch.compile(fullgraph=True)
def total(x, start=0.0):
    return float(x.sum()) + start

Right = Scale

def Scale():
    model = torch.compile(Right(), mode="max-autotune")
    model.compile()
    return model
"""


def test_what_is_compiled_runs_as_it_is(grade):
    assert grade(COMPILED).outcome is Outcome.PASSED
