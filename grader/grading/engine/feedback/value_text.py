"""Shows values and calls as short text that keeps its columns: `max_pool2d(x, 2)`, and what x is.

A value may be a student's, of any size that crosses. Text is therefore made piece by piece and only as far as it is
shown, so time and length are bounded whatever the value.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

import torch

from grader.core.model import Argument, Counterexample
from grader.core.safetext import printable
from grader.grading.engine.proxy import CallRecord, ForeignNumber, ForeignResult, RemoteObject
from grader.grading.engine.suite.comparison import Mismatch

MAX_VALUE_CHARACTERS = 4000  # of one shown value, whatever it is
MAX_CALL_CHARACTERS = 1000
MAX_WHERE_CHARACTERS = 2000
MAX_ARGUMENTS = 20  # that are shown below their call
_MAX_NUMBERS = 64  # of a tensor that is shown in full
_MAX_ROW_CHARACTERS = 68
_MAX_ENTRIES = 12  # of a dict
_MAX_CHARACTERS = 300  # of any other value, and of a key
_MAX_ARGUMENT_CHARACTERS = 60  # of an argument that is shown inside the call
_MAX_BITS = 1024  # of a whole number that is written in digits: Python refuses to print the largest ones


def show(value: object) -> str:
    """Return a value as text: a number, a small tensor in full, a large one by its shape and first corner."""
    return _cut(_pieces(value), MAX_VALUE_CHARACTERS)


def show_form(value: object) -> str:
    """Return the shape and dtype of a tensor, where its values mean nothing; any other value as `show` does."""
    if isinstance(value, torch.Tensor):
        return f"{_shape(value)}, {str(value.dtype).removeprefix('torch.')}"
    return "a float" if type(value) is float else show(value)


def _cut(pieces: Iterable[str], limit: int) -> str:
    """Join pieces, no more of them than are shown."""
    taken: list[str] = []
    left = limit
    for piece in pieces:
        taken.append(piece)
        left -= len(piece)
        if left < 0:
            break
    return printable("".join(taken), limit=limit)


def _pieces(value: object) -> Iterator[str]:
    if isinstance(value, torch.Tensor):
        yield _tensor(value.detach())
    elif isinstance(value, ForeignResult):
        yield value.described
    elif isinstance(value, (list, tuple)) and any(isinstance(item, torch.Tensor) for item in value):
        for n, item in enumerate(value):
            yield from chain([",\n"] if n else [], _pieces(item))
    elif isinstance(value, dict):
        for n, (key, item) in enumerate(value.items()):
            if n == _MAX_ENTRIES:
                return
            yield ("\n" if n else "") + printable(str(key), limit=_MAX_CHARACTERS) + ": "
            yield from [_shape(item)] if isinstance(item, torch.Tensor) and item.dim() else _pieces(item)
    elif isinstance(value, float) and not isinstance(value, ForeignNumber):
        text = f"{value:.6g}"
        yield text if set(text) & set(".en") else f"{text}.0"  # 1.0 is no 1
    else:
        yield _cut(_written(value), _MAX_CHARACTERS)


def _written(value: object) -> Iterator[str]:
    """Yield Python's spelling of a value in pieces; a tensor is named by its shape."""
    if isinstance(value, (list, tuple)):
        opening, closing = "[]" if isinstance(value, list) else "()"
        yield opening
        for n, item in enumerate(value):
            yield from chain([", "] if n else [], _written(item))
        yield ("," if closing == ")" and len(value) == 1 else "") + closing
    elif isinstance(value, dict):
        yield "{"
        for n, (key, item) in enumerate(value.items()):
            yield from chain([", "] if n else [], _written(key), [": "], _written(item))
        yield "}"
    elif isinstance(value, torch.Tensor):
        yield _shape(value)
    elif isinstance(value, str):
        yield repr(value[: MAX_VALUE_CHARACTERS + 1])
    elif isinstance(value, int) and not isinstance(value, ForeignNumber) and value.bit_length() > _MAX_BITS:
        yield f"a number of {value.bit_length()} bits"
    else:
        yield repr(value)


def _shape(tensor: torch.Tensor) -> str:
    return f"tensor of shape {tuple(tensor.shape)}"


def _tensor(tensor: torch.Tensor) -> str:
    header = _shape(tensor)
    if tensor.dtype != torch.float32:
        header += f", {str(tensor.dtype).removeprefix('torch.')}"
    if not tensor.numel():
        return header
    if tensor.dim() == 0:
        return f"{tensor.item():.6g}" if tensor.is_floating_point() else str(tensor.item())
    rows = _rows(_corner(tensor))
    return "\n".join([header + ("" if shown_in_full(tensor) else ", its first corner:"), *rows])


def _corner(tensor: torch.Tensor) -> torch.Tensor:
    """Return the part of a tensor whose numbers are shown: all of it, or the first corner of a large one."""
    if shown_in_full(tensor):
        return tensor
    limits = [1] * (tensor.dim() - 2) + [4, 6][-min(tensor.dim(), 2) :]
    return tensor[tuple(slice(0, limit) for limit in limits)]


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


def counterexample(
    record: CallRecord,
    function: Callable[..., object] | None,
    wrong: Mismatch | None,
    *,
    got: str | None = None,
    smallest: bool = False,
    listing: Callable[[RemoteObject], str] = lambda _: "",
    made_by: Callable[..., object] | None = None,
) -> Counterexample:
    """Return a call, and where its result was compared, what is expected, what came, and where they differ.

    `function` supplies the parameter names, and `made_by` those of the call that made the object. `got` is shown in
    place of the result. `listing` returns what an object is that is only a name in the call.
    """
    call, arguments = show_call(record, function, listing, made_by)
    if wrong is None:
        return Counterexample(call=call, arguments=arguments, smallest=smallest)
    shown = show_form if wrong.any_value else show
    return Counterexample(
        call=call,
        arguments=arguments,
        expected=shown(wrong.expected),
        got=shown(wrong.got) if got is None else got,
        where=place(wrong.where),
        wrong=tuple(_wrong_cells(wrong.cells)) if got is None and wrong.cells is not None else (),
        smallest=smallest,
    )


def _wrong_cells(cells: torch.Tensor) -> Iterator[tuple[int, int]]:
    """Yield where the text of a tensor has its wrong cells: the line, where 0 is the shape, and the place in it."""
    if cells.dim() == 0:
        return
    corner = _corner(cells)
    blocks = corner.reshape(-1, *corner.shape[-2:]) if corner.dim() >= 2 else corner.reshape(1, 1, -1)
    for block, row, column in blocks.nonzero().tolist():
        yield 1 + block * (blocks.shape[1] + 1) + row, column  # a blank line is between two blocks


def place(where: str) -> str:
    """Return what says where two values differ, a phrase or a table of layers, in its bounds."""
    return printable(where, limit=MAX_WHERE_CHARACTERS)


def show_call(
    record: CallRecord,
    function: Callable[..., object] | None,
    listing: Callable[[RemoteObject], str] = lambda _: "",
    made_by: Callable[..., object] | None = None,
) -> tuple[str, tuple[Argument, ...]]:
    """Return a call as one line, and its larger arguments by name, with the modules that its object was made of.

    `function` supplies the names of the parameters, and `made_by` those of the call that made the object.
    """
    arguments: dict[str, Argument] = {}
    parts: list[str] = []
    called = _called(record, made_by, listing, arguments)
    for name, keyword, value in _named(record, function):
        if isinstance(value, RemoteObject):
            parts.append(keyword + name)
            _add(arguments, name, listing(value))
        elif text := _in_line(value):
            parts.append(keyword + text)
        else:
            parts.append(keyword + name)
            _add(arguments, name, show(value))
    pieces = chain([f"{called}("], (", " * bool(n) + part for n, part in enumerate(parts)), [")"])
    return _cut(pieces, MAX_CALL_CHARACTERS), tuple(arguments.values())


def _called(
    record: CallRecord,
    made_by: Callable[..., object] | None,
    listing: Callable[[RemoteObject], str],
    arguments: dict[str, Argument],
) -> str:
    """Return what is called; of a method also how its object was made, and its mode: BatchNorm2d(3).eval().forward.

    The modules that the object was made of are added to `arguments`.
    """
    if record.maker is None:
        return record.name
    parts = []
    for name, keyword, value in _named(record.maker, made_by):
        if isinstance(value, RemoteObject):
            parts.append(keyword + name)
            _add(arguments, name, listing(value))
        else:
            parts.append(keyword + (_in_line(value) or "..."))
    mode = ".eval()" if record.evaluating and record.method == "forward" else ""
    return f"{record.maker.name}({', '.join(parts)}){mode}.{record.method}"


def _named(record: CallRecord, function: Callable[..., object] | None) -> Iterator[tuple[str, str, object]]:
    """Yield each argument of a call: its name, how it begins where it is given by name, and its value."""
    for name, value in zip(_parameter_names(function, len(record.args)), record.args, strict=True):
        yield printable(name, limit=_MAX_ARGUMENT_CHARACTERS), "", value
    for name, value in record.kwargs.items():
        shown = printable(name, limit=_MAX_ARGUMENT_CHARACTERS)
        yield shown, f"{shown}=", value


def _add(arguments: dict[str, Argument], name: str, value: str) -> None:
    """Add what a name in a call stands for, where anything is known of it."""
    if value and len(arguments) < MAX_ARGUMENTS:
        arguments[name] = Argument(name=name, value=printable(value, limit=MAX_VALUE_CHARACTERS))


def _in_line(value: object) -> str:
    """Return the spelling of an argument that fits inside the call; "" for any other."""
    if isinstance(value, dict) or _holds_tensor(value):
        return ""
    text = _cut(_written(value), _MAX_ARGUMENT_CHARACTERS + 1)
    return text if len(text) <= _MAX_ARGUMENT_CHARACTERS else ""


def _holds_tensor(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return any(map(_holds_tensor, value))
    return isinstance(value, torch.Tensor)


def _parameter_names(function: Callable[..., object] | None, count: int) -> list[str]:
    names: list[str] = []
    if function is not None:
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        parameters = inspect.signature(function).parameters.values()
        names = [p.name for p in parameters if p.kind in kinds and p.name != "self"]
    unnamed = max(0, count - len(names))
    spare = ["x"] if unnamed == 1 and "x" not in names else [f"x{n}" for n in range(1, unnamed + 1)]
    return [*names[:count], *spare]
