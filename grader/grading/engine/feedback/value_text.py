"""Shows values and calls as short text that keeps its columns: `max_pool2d(x, 2)`, and what x is."""

import inspect
from collections.abc import Callable

import torch

from grader.core.model import Argument
from grader.core.safetext import printable
from grader.grading.engine.proxy import CallRecord, ForeignResult, RemoteObject

_MAX_NUMBERS = 64  # of a tensor that is shown in full
_MAX_ROW_CHARACTERS = 68
_MAX_ENTRIES = 12  # of a dict
_MAX_CHARACTERS = 300  # of any other value
_MAX_ARGUMENT_CHARACTERS = 60  # of an argument that is shown inside the call


def show(value: object) -> str:
    """Return a value as text: a number, a small tensor in full, a large one by its shape and first corner."""
    if isinstance(value, torch.Tensor):
        return _tensor(value.detach())
    if isinstance(value, ForeignResult):
        return value.described
    if isinstance(value, (list, tuple)) and any(isinstance(item, torch.Tensor) for item in value):
        return ",\n".join(show(item) for item in value)
    if isinstance(value, dict):
        return "\n".join(f"{key}: {_brief(item)}" for key, item in list(value.items())[:_MAX_ENTRIES])
    if isinstance(value, float):
        return f"{value:.6g}"
    return printable(repr(value), limit=_MAX_CHARACTERS)


def _brief(value: object) -> str:
    if isinstance(value, torch.Tensor) and value.dim():
        return f"tensor of shape {tuple(value.shape)}"
    return show(value)


def _tensor(tensor: torch.Tensor) -> str:
    header = f"tensor of shape {tuple(tensor.shape)}"
    if tensor.dtype != torch.float32:
        header += f", {str(tensor.dtype).removeprefix('torch.')}"
    if not tensor.numel():
        return header
    if tensor.dim() == 0:
        return f"{tensor.item():.6g}" if tensor.is_floating_point() else str(tensor.item())
    corner, cut = tensor, False
    if not shown_in_full(tensor):
        limits = [1] * (tensor.dim() - 2) + [4, 6][-min(tensor.dim(), 2) :]
        corner, cut = tensor[tuple(slice(0, limit) for limit in limits)], True
    rows = _rows(corner)
    return "\n".join([header + (", its first corner:" if cut else ""), *rows])


def shown_in_full(tensor: torch.Tensor) -> bool:
    """Return whether every number of a tensor is shown."""
    return tensor.numel() <= _MAX_NUMBERS


def _rows(tensor: torch.Tensor) -> list[str]:
    """Return the last two axes as aligned rows; earlier axes as blocks with a blank line between them."""
    matrices = tensor.reshape(-1, *tensor.shape[-2:]) if tensor.dim() >= 2 else tensor.reshape(1, 1, -1)
    texts = [[[_number(cell) for cell in row] for row in matrix] for matrix in matrices]
    width = max(len(cell) for matrix in texts for row in matrix for cell in row)
    blocks = [
        [" ".join(cell.rjust(width) for cell in row)[:_MAX_ROW_CHARACTERS] for row in matrix]
        for matrix in texts
    ]
    lines: list[str] = []
    for n, block in enumerate(blocks):
        lines += ([""] if n else []) + block
    return lines


def _number(cell: torch.Tensor) -> str:
    value = cell.item()
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def show_call(record: CallRecord, function: Callable[..., object] | None) -> tuple[str, tuple[Argument, ...]]:
    """Return a call as one line, and its larger arguments by name. `function` supplies the parameter names."""
    names = _parameter_names(function, len(record.args))
    arguments: list[Argument] = []
    parts: list[str] = []
    for name, value in [*zip(names, record.args, strict=True), *record.kwargs.items()]:
        keyword = f"{name}=" if name in record.kwargs else ""
        if _fits_in_line(value):
            parts.append(keyword + (repr(value) if not isinstance(value, RemoteObject) else name))
        else:
            parts.append(keyword + name)
            arguments.append(Argument(name=name, value=show(value)))
    return f"{record.name}({', '.join(parts)})", tuple(arguments)


def _fits_in_line(value: object) -> bool:
    if isinstance(value, (torch.Tensor, dict)):
        return False
    return isinstance(value, RemoteObject) or len(repr(value)) <= _MAX_ARGUMENT_CHARACTERS


def _parameter_names(function: Callable[..., object] | None, count: int) -> list[str]:
    names: list[str] = []
    if function is not None:
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        parameters = inspect.signature(function).parameters.values()
        names = [p.name for p in parameters if p.kind in kinds and p.name != "self"]
    spare = (f"argument{n}" for n in range(1, count + 1))
    return [names[n] if n < len(names) else next(spare) for n in range(count)]
