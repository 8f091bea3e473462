"""A generated class: solutions of pooling, each with its own random choice for every step.

Two students who make the same choices write the same code without copying, as in a class of independent solutions.
"""

import itertools
import random

NAMES = {
    "n": ["n", "N", "batch", "B", "b"],
    "c": ["c", "C", "channels", "ch"],
    "h": ["h", "H", "height", "rows"],
    "w": ["w", "W", "width", "cols"],
    "oh": ["oh", "out_h", "H_out", "new_h", "h2", "out_height"],
    "ow": ["ow", "out_w", "W_out", "new_w", "w2", "out_width"],
    "out": ["out", "result", "y", "output", "res"],
    "i": ["i", "row", "r", "a"],
    "j": ["j", "col", "q", "bb"],
    "win": ["win", "window", "patch", "part", "region"],
    "xp": ["xp", "padded", "x_pad", "px"],
    "s": ["s", "step", "st"],
}
STRIDE = [
    "{s} = kernel_size if stride is None else stride",
    "{s} = stride if stride is not None else kernel_size",
    "{s} = stride or kernel_size",
    "if stride is None:\n    {s} = kernel_size\nelse:\n    {s} = stride",
    "{s} = stride\nif {s} is None:\n    {s} = kernel_size",
    "{s} = kernel_size if not stride else stride",
]
PAD = [
    "{xp} = F.pad(x, (padding, padding, padding, padding), value={fill})",
    "{xp} = F.pad(x, (padding,) * 4, value={fill})",
    "{xp} = F.pad(x, [padding] * 4, 'constant', {fill})",
    "{xp} = F.pad(x, (padding, padding, padding, padding), mode='constant', value={fill})",
    "{xp} = torch.full(({n}, {c}, {h} + 2 * padding, {w} + 2 * padding), {fill}, dtype=x.dtype)\n"
    "{xp}[:, :, padding:padding + {h}, padding:padding + {w}] = x",
    "{xp} = x.new_full(({n}, {c}, {h} + 2 * padding, {w} + 2 * padding), {fill})\n"
    "{xp}[..., padding:{h} + padding, padding:{w} + padding] = x",
]
SIZES = [
    "{oh} = ({h} + 2 * padding - kernel_size) // {s} + 1\n{ow} = ({w} + 2 * padding - kernel_size) // {s} + 1",
    "{oh} = 1 + ({h} - kernel_size + 2 * padding) // {s}\n{ow} = 1 + ({w} - kernel_size + 2 * padding) // {s}",
    "{oh}, {ow} = [(size + 2 * padding - kernel_size) // {s} + 1 for size in ({h}, {w})]",
    "{oh} = int(({h} + 2 * padding - kernel_size) / {s}) + 1\n{ow} = int(({w} + 2 * padding - kernel_size) / {s}) + 1",
    "{oh} = ({xp}.shape[2] - kernel_size) // {s} + 1\n{ow} = ({xp}.shape[3] - kernel_size) // {s} + 1",
    "{oh} = len(range(0, {xp}.size(2) - kernel_size + 1, {s}))\n{ow} = len(range(0, {xp}.size(3) - kernel_size + 1, {s}))",
]
MADE = [
    "{out} = torch.zeros({n}, {c}, {oh}, {ow}, dtype=x.dtype)",
    "{out} = torch.empty(({n}, {c}, {oh}, {ow}), dtype=x.dtype, device=x.device)",
    "{out} = x.new_empty({n}, {c}, {oh}, {ow})",
    "{out} = x.new_zeros(({n}, {c}, {oh}, {ow}))",
    "{out} = torch.zeros(({n}, {c}, {oh}, {ow})).to(x)",
]
LOOP = [
    "for {i} in range({oh}):\n    for {j} in range({ow}):\n"
    "        {win} = {xp}[:, :, {i} * {s}:{i} * {s} + kernel_size, {j} * {s}:{j} * {s} + kernel_size]\n"
    "        {out}[:, :, {i}, {j}] = {reduce}",
    "for {i} in range({oh}):\n    top = {i} * {s}\n    for {j} in range({ow}):\n        left = {j} * {s}\n"
    "        {win} = {xp}[:, :, top:top + kernel_size, left:left + kernel_size]\n"
    "        {out}[:, :, {i}, {j}] = {reduce}",
    "for {i}, top in enumerate(range(0, {oh} * {s}, {s})):\n"
    "    for {j}, left in enumerate(range(0, {ow} * {s}, {s})):\n"
    "        {win} = {xp}[:, :, top:top + kernel_size, left:left + kernel_size]\n"
    "        {out}[:, :, {i}, {j}] = {reduce}",
    "for {i} in range({oh}):\n    for {j} in range({ow}):\n"
    "        rs = slice({i} * {s}, {i} * {s} + kernel_size)\n        cs = slice({j} * {s}, {j} * {s} + kernel_size)\n"
    "        {win} = {xp}[:, :, rs, cs]\n        {out}[:, :, {i}, {j}] = {reduce}",
    "for place in range({oh} * {ow}):\n    {i}, {j} = divmod(place, {ow})\n"
    "    {win} = {xp}[..., {i} * {s}:{i} * {s} + kernel_size, {j} * {s}:{j} * {s} + kernel_size]\n"
    "    {out}[..., {i}, {j}] = {reduce}",
]  # fmt: skip
MAXIMUM = [
    "{win}.amax(dim=(2, 3))", "torch.amax({win}, dim=(2, 3))", "{win}.amax((-2, -1))", "{win}.flatten(2).max(dim=2).values",
    "{win}.reshape({n}, {c}, -1).max(-1)[0]", "{win}.max(dim=3).values.max(dim=2).values",
]  # fmt: skip
MEAN = [
    "{win}.mean(dim=(2, 3))", "torch.mean({win}, dim=(2, 3))", "{win}.mean((-2, -1))", "{win}.sum(dim=(2, 3)) / kernel_size ** 2",
    "{win}.flatten(2).sum(2) / (kernel_size * kernel_size)", "{win}.mean(dim=3).mean(dim=2)",
]  # fmt: skip
INFINITY = ["float('-inf')", "-float('inf')", "-torch.inf", "-math.inf", "torch.finfo(x.dtype).min"]
GLOBAL = [
    "return x.mean(dim=(2, 3), keepdim=True)", "return x.mean((-2, -1), keepdim=True)",
    "return torch.mean(x, dim=(2, 3), keepdim=True)", "return x.flatten(2).mean(2)[:, :, None, None]",
    "return x.mean(dim=3, keepdim=True).mean(dim=2, keepdim=True)",
    "return x.sum(dim=(2, 3), keepdim=True) / (x.shape[2] * x.shape[3])",
]  # fmt: skip
COMMENTS = [
    "",
    "# pad first",
    "# output size",
    "# slide the window",
    "# loop over all windows",
    "# default stride",
]


def pooling(seed: int) -> str:
    """Return the solution of one student, whose choices depend on the seed only."""
    chance = random.Random(seed)
    names = {key: chance.choice(words) for key, words in NAMES.items()}
    steps = [chance.choice(options) for options in (STRIDE, PAD, SIZES, MADE, LOOP)]
    comments = [chance.choice(COMMENTS) for _ in steps]
    infinity = chance.choice(INFINITY)
    written = []
    for name, reduce, fill in (
        ("max_pool2d", chance.choice(MAXIMUM), infinity),
        ("avg_pool2d", chance.choice(MEAN), "0.0"),
    ):
        body = ["{n}, {c}, {h}, {w} = x.shape"]
        for comment, step in zip(comments, steps, strict=True):
            body += [comment, step] if comment else [step]
        body.append("return {out}")
        lines = (
            "\n".join(body).replace("{reduce}", reduce).replace("{fill}", fill).format(**names).split("\n")
        )
        head = f"def {name}(x, kernel_size, stride=None, padding=0):"
        written.append("\n".join([head, *(f"    {line}" for line in lines)]))
    written.append(f"def global_avg_pool2d(x):\n    {chance.choice(GLOBAL)}")
    return "\n\n\n".join(["import math\n\nimport torch\nimport torch.nn.functional as F", *written]) + "\n"


def possible() -> int:
    """Return the number of solutions that differ in more than names."""
    choices = (STRIDE, PAD, SIZES, MADE, LOOP, MAXIMUM, MEAN, INFINITY, GLOBAL)
    return len(list(itertools.product(*(range(len(options)) for options in choices))))
