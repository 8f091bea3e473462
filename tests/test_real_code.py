"""Code as people write it, from courses, books and tutorials: each gets its own sentence on what to change.

Each is written as its author would, and not like the known mistake: only the results need to be the same.
"""

import textwrap
from pathlib import Path

import pytest

from grader.core.model import Outcome
from grader.course import catalog
from grader.grading.messages import Graded, Job

COURSE = catalog.load(Path(__file__).parents[1])

CS231N_BATCHNORM = """
    import torch
    from torch import nn

    class BatchNorm2d(nn.Module):
        def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
            super().__init__()
            self.eps, self.momentum = eps, momentum
            self.weight = nn.Parameter(torch.ones(num_features)) if affine else None
            self.bias = nn.Parameter(torch.zeros(num_features)) if affine else None
            self.register_buffer("running_mean", torch.zeros(num_features))
            self.register_buffer("running_var", torch.ones(num_features))
            self.register_buffer("num_batches_tracked", torch.tensor(0))

        def forward(self, x):
            N, C, H, W = x.shape
            rows = x.permute(0, 2, 3, 1).reshape(-1, C)
            if self.training:
                sample_mean, sample_var = rows.mean(0), rows.var(0, unbiased=False)
                out = (rows - sample_mean) / torch.sqrt(sample_var + self.eps)
                self.running_mean = (self.momentum * self.running_mean + (1 - self.momentum) * sample_mean).detach()
                self.running_var = (self.momentum * self.running_var + (1 - self.momentum) * sample_var).detach()
                self.num_batches_tracked = self.num_batches_tracked + 1
            else:
                out = (rows - self.running_mean) / torch.sqrt(self.running_var + self.eps)
            if self.weight is not None:
                out = out * self.weight + self.bias
            return out.reshape(N, H, W, C).permute(0, 3, 1, 2)
"""

D2L_BATCHNORM = """
    import torch
    from torch import nn

    def batch_norm(X, gamma, beta, moving_mean, moving_var, eps, momentum):
        C = X.shape[1]
        if not torch.is_grad_enabled():
            X_hat = (X - moving_mean.view(1, C, 1, 1)) / torch.sqrt(moving_var.view(1, C, 1, 1) + eps)
        else:
            mean = X.mean(dim=(0, 2, 3), keepdim=True)
            var = ((X - mean) ** 2).mean(dim=(0, 2, 3), keepdim=True)
            X_hat = (X - mean) / torch.sqrt(var + eps)
            moving_mean = (1.0 - momentum) * moving_mean + momentum * mean.flatten()
            moving_var = (1.0 - momentum) * moving_var + momentum * var.flatten()
        Y = X_hat if gamma is None else gamma.view(1, C, 1, 1) * X_hat + beta.view(1, C, 1, 1)
        return Y, moving_mean.data, moving_var.data

    class BatchNorm2d(nn.Module):
        def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
            super().__init__()
            self.eps, self.momentum = eps, momentum
            self.weight = nn.Parameter(torch.ones(num_features)) if affine else None
            self.bias = nn.Parameter(torch.zeros(num_features)) if affine else None
            self.register_buffer("running_mean", torch.zeros(num_features))
            self.register_buffer("running_var", torch.ones(num_features))
            self.register_buffer("num_batches_tracked", torch.tensor(0))

        def forward(self, x):
            y, self.running_mean, self.running_var = batch_norm(
                x, self.weight, self.bias, self.running_mean, self.running_var, self.eps, self.momentum
            )
            self.num_batches_tracked += torch.is_grad_enabled()
            return y
"""

MNIST_EXAMPLE = """
    import torch
    import torch.nn as nn
    import torch.nn.functional as F
    from reference import layer_shapes

    class LeNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(1, 20, 5, 1{padding})
            self.conv2 = nn.Conv2d(20, 50, 5, 1{padding})
            self.fc1 = nn.Linear({features}, 500)
            self.fc2 = nn.Linear(500, 10)

        def forward(self, x):
            x = F.relu(self.conv1(x))
            x = F.max_pool2d(x, 2, 2)
            x = F.relu(self.conv2(x))
            x = F.max_pool2d(x, 2, 2)
            x = x.view(-1, {features})
            x = F.relu(self.fc1(x))
            x = self.fc2(x)
            return {result}
"""

TUTORIAL = """
    import torch
    import torch.nn as nn
    import torch.nn.functional as F
    from reference import layer_shapes

    class LeNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(1, 6, 5)
            self.pool = nn.MaxPool2d(2, 2)
            self.conv2 = nn.Conv2d(6, 16, 5)
            self.fc1 = nn.Linear(16 * 5 * 5, 120)
            self.fc2 = nn.Linear(120, 84)
            self.fc3 = nn.Linear(84, 10)

        def forward(self, x):
            x = self.pool(F.relu(self.conv1(x)))
            x = self.pool(F.relu(self.conv2(x)))
            x = torch.flatten(x, 1)
            return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))
"""

CS231N_POOL = """
    import numpy as np
    import torch
    from reference import avg_pool2d, global_avg_pool2d

    def max_pool2d(x, kernel_size, stride=None, padding=0):
        stride = kernel_size if stride is None else stride
        data = np.pad(x.detach().numpy(), ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2), constant_values=-np.inf)
        N, C, H, W = data.shape
        out = np.zeros((N, C, 1 + (H - kernel_size) // stride, 1 + (W - kernel_size) // stride))
        for i in range(out.shape[2]):
            for j in range(out.shape[3]):
                top, left = i * stride, j * stride
                out[:, :, i, j] = data[:, :, top : top + kernel_size, left : left + kernel_size].max(axis=(2, 3))
        return {result}
"""

REAL = {
    "CS231n's batch norm": ("batchnorm", CS231N_BATCHNORM, "conventions-and-buffers-replaced", 6),
    "d2l's batch norm": ("batchnorm", D2L_BATCHNORM, "all-of-the-book", 6),
    "Caffe's LeNet": (
        "lenet",
        MNIST_EXAMPLE.format(padding="", features="4 * 4 * 50", result="x"),
        "no-padding",
        4,
    ),
    "the MNIST example": (
        "lenet",
        MNIST_EXAMPLE.format(padding=", 2", features="7 * 7 * 50", result="F.log_softmax(x, dim=1)"),
        "log-softmax-inside",
        1,
    ),
    "the tutorial's LeNet": ("lenet", TUTORIAL, "network-of-the-tutorial", 12),
    "CS231n's pooling": (
        "pooling",
        CS231N_POOL.format(result="torch.from_numpy(out)"),
        "numpy-inside",
        2,
    ),
    "CS231n's pooling, as an array": ("pooling", CS231N_POOL.format(result="out"), "returns-numpy", 3),
    "CS231n's relu": (
        "relu",
        "from reference import *\n\ndef relu(x):\n    out = torch.maximum(x, torch.tensor(0.0))\n    cache = x\n    return out, cache\n",
        "with-cache",
        4,
    ),
    "CS231n's relu_backward": (
        "relu",
        "from reference import *\n\ndef relu_backward(dout, x):\n    dx = dout\n    dx[x <= 0] = 0\n    return dx\n",
        "aliases-gradient",
        1,
    ),
    "BERT's gelu": (
        "relu",
        "from reference import *\n\ndef gelu(x):\n    return x * 0.5 * (1.0 + torch.tanh(0.7978845608028654 * x * (1.0 + 0.044715 * x * x)))\n",
        "tanh-for-erf",
        1,
    ),
    "CLIP's gelu": (
        "relu",
        "from reference import *\n\ndef gelu(x):\n    return x * torch.sigmoid(1.702 * x)\n",
        "sigmoid-1702",
        1,
    ),
    "a size by numpy": (
        "output_size",
        "import numpy as np\nfrom reference import *\n\ndef conv_output_size(size, kernel_size, stride=1, padding=0, dilation=1):\n    return np.floor((size + 2 * padding - dilation * (kernel_size - 1) - 1) / stride) + 1\n",
        "floor-by-numpy",
        2,
    ),
    "a size by division": (
        "output_size",
        "from reference import *\n\ndef conv_output_size(size, kernel_size, stride=1, padding=0, dilation=1):\n    return (size - dilation * (kernel_size - 1) - 1 + 2 * padding) / stride + 1\n",
        "no-floor",
        4,
    ),
    "freezing by a flag of the module": (
        "freezing",
        "from reference import *\n\ndef freeze(layer):\n    layer.requires_grad = False\n",
        "module-attribute",
        5,
    ),
    "a frozen BatchNorm of any kind": (
        "freezing",
        "from reference import *\n\ndef freeze_batchnorm(model):\n    for m in model.modules():\n        if 'BatchNorm' in type(m).__name__:\n            m.eval()\n",
        "freezes-all-norms",
        3,
    ),
}


@pytest.mark.parametrize(("exercise_id", "source", "mistake", "lost"), REAL.values(), ids=REAL.keys())
def test_real_code_gets_a_sentence_on_what_to_change(dispatcher, exercise_id, source, mistake, lost):
    exercise = COURSE.exercise(exercise_id)
    reference = (exercise.folder / "reference.py").read_text(encoding="utf-8")
    sources = {f"{exercise_id}.py": textwrap.dedent(source), "reference.py": reference}
    (graded,) = dispatcher.grade([Job(exercise=exercise, module=exercise_id, sources=sources, seed=0)])
    assert isinstance(graded, Graded), graded
    failed = [
        check for check in graded.result.checks if check.outcome not in (Outcome.PASSED, Outcome.SKIPPED)
    ]
    sentences = {check.diagnosis.mistake if check.diagnosis else check.rationale for check in failed}
    assert sentences == {mistake}
    assert graded.result.max_points - graded.result.points == lost


def test_a_view_that_does_not_fit_is_shown_at_its_layer(dispatcher):
    exercise = COURSE.exercise("lenet")
    source = MNIST_EXAMPLE.format(padding=", 2", features="7 * 7 * 50", result="x")
    reference = (exercise.folder / "reference.py").read_text(encoding="utf-8")
    wrong = source.replace("x.view(-1, 7 * 7 * 50)", "x.view(x.size(0), 1250)")
    assert wrong != source
    sources = {"lenet.py": textwrap.dedent(wrong), "reference.py": reference}
    (graded,) = dispatcher.grade([Job(exercise=exercise, module="lenet", sources=sources, seed=0)])
    assert isinstance(graded, Graded), graded
    first = next(check for check in graded.result.checks if check.outcome is Outcome.RAISED)
    assert "shape '[64, 1250]' is invalid" in first.rationale
    assert first.diagnosis is None  # no known mistake gives these very results
    marked = [line.split() for line in first.counterexample.where.splitlines() if line.startswith(">")]
    assert marked == [[">", "Flatten", "2450", "raises", "by", "view()"]]
