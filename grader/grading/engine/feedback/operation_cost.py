"""What torch's operations cost, as a number that is the same on every machine, so that a budget ends at the same place.

The unit is about a millisecond of one core. The prices were measured once, and are rough: within a factor of two.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

PER_OPERATION = 0.01
PER_NUMBER = 1e-6  # of the largest tensor that an operation reads or writes
PER_PRODUCT = 3e-8  # of a convolution or a matrix product

_aten = torch.ops.aten


class OperationCost(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up in `total` what the operations cost that run inside, backward passes included."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0.0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Return False: else torch would import its compiler, for a second, in each grading process that explains."""
        return False

    def __torch_dispatch__(
        self,
        func: Any,
        types: object,
        args: Sequence[object] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        """Run one operation, and add what it costs."""
        result = func(*args, **(kwargs or {}))
        self.total += PER_OPERATION
        if func.overloadpacket is not _aten.empty and not _is_view(func):
            sizes = (value.numel() for value in (*args, result) if isinstance(value, torch.Tensor))
            self.total += PER_NUMBER * max(sizes, default=0)
        if func.overloadpacket in _PRODUCTS:
            self.total += PER_PRODUCT * _PRODUCTS[func.overloadpacket](args, result)
        return result


def _is_view(func: Any) -> bool:
    returned = [value.alias_info for value in func._schema.returns]  # noqa: SLF001 - torch has no other way to ask
    return any(alias is not None and not alias.is_write for alias in returned)


def _of_convolution(args: Any, result: Any) -> int:
    return int(result.numel() * args[1][0].numel())


def _of_convolution_backward(args: Any, _result: object) -> int:
    return int(2 * args[0].numel() * args[2][0].numel())  # of the input, and of the weight


def _of_matrices(args: Any, _result: object) -> int:
    one, other = args[-2:]
    return int(one.numel() * other.shape[-1])


_PRODUCTS: dict[object, Callable[[Any, Any], int]] = {
    _aten.convolution: _of_convolution,
    _aten.convolution_backward: _of_convolution_backward,
    _aten.mm: _of_matrices,
    _aten.bmm: _of_matrices,
    _aten.addmm: _of_matrices,
    _aten.baddbmm: _of_matrices,
}
