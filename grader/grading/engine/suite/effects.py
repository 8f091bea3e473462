"""Checks the effects of a call beside its result: gradients, and arguments that must stay unchanged."""

from collections.abc import Mapping

import torch

from grader.grading.engine.proxy import ForeignResult, RemoteModule, Student
from grader.grading.engine.suite.comparison import Mismatch, assert_matches


def assert_inputs_unchanged(student: Student) -> None:
    """Raise AssertionError if the student's last call changed one of its arguments in place."""
    changed = student.changed_inputs()
    if changed:
        names = " and ".join(f"`{name}`" for name in changed)
        raise AssertionError(
            f"`{student.last_called()}` changed its argument {names} in place. Compute a new tensor: `x += 1`, "
            "`x[...] = 1` and methods whose name ends in an underscore write into the caller's tensor."
        )


def assert_gradient(
    result: object,
    expected: torch.Tensor | Mapping[str, torch.Tensor],
    inputs: Mapping[str, torch.Tensor],
    *,
    upstream: torch.Tensor | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    check_dtype: bool = False,
) -> None:
    """Raise Mismatch unless the gradient of `result`, a student's tensor, is right for each of `inputs`.

    `inputs` are leaves that require a gradient, by the name that students read. `expected` is either what the
    result should be, computed by the suite from the same inputs, or the gradients themselves by name.
    `upstream` is the gradient that arrives at the result. Unless given, it is uneven for an expected result, so
    that gradients in the wrong places differ; for given gradients it is ones, as in `result.sum().backward()`.
    A result that is cut off from the graph ends in CallFailed with a sentence of its own.
    """
    result = _differentiable(result, expected)
    if isinstance(expected, torch.Tensor):
        if result.shape != expected.shape:
            assert_matches(result, expected)  # raises Mismatch on the shapes, before any gradient
        upstream = _uneven(expected) if upstream is None else upstream
        right = dict(zip(inputs, _gradients(expected, inputs, upstream), strict=True))
    else:
        right = dict(expected)
    upstream = torch.ones_like(result) if upstream is None else upstream.to(result.dtype)
    received = dict(zip(inputs, _gradients(result, inputs, upstream), strict=True))
    for name, leaf in inputs.items():
        wanted, got = (torch.zeros_like(leaf) if g is None else g for g in (right[name], received[name]))
        if received[name] is None and bool(wanted.any()):
            sentence = (
                f"No gradient reaches `{name}`: every step from it to the result must be a torch operation."
            )
            raise Mismatch(sentence, got=None, expected=wanted)
        what = f"the gradient for `{name}`"
        assert_matches(got, wanted, rtol=rtol, atol=atol, check_dtype=check_dtype, what=what)


def assert_parameter_gradients(
    model: RemoteModule,
    expected: Mapping[str, torch.Tensor],
    *,
    rtol: float | None = None,
    atol: float | None = None,
    check_dtype: bool = False,
) -> None:
    """Raise Mismatch unless these parameters of a student's module hold these gradients after a backward pass."""
    received = model.gradients()
    for name, wanted in expected.items():
        if name not in received:
            sentence = f"The module has no parameter `{name}`: what is to be learned must be an nn.Parameter."
            raise Mismatch(sentence, got=list(received), expected=list(expected))
        got = received[name]
        if got is None:
            asks = model.requires_grad().get(name)
            why = (
                "forward must use the parameter itself, no copy of it"
                if asks
                else "it has requires_grad=False"
            )
            raise Mismatch(f"No gradient reaches `{name}`: {why}.", got=None, expected=wanted)
        what = f"the gradient for `{name}`"
        assert_matches(got, wanted, rtol=rtol, atol=atol, check_dtype=check_dtype, what=what)


def _differentiable(result: object, expected: object) -> torch.Tensor:
    """Return the result if it can have a gradient; else raise Mismatch."""
    if isinstance(result, ForeignResult) or type(result) is not torch.Tensor:
        wanted = expected if isinstance(expected, torch.Tensor) else torch.zeros(())
        assert_matches(result, wanted)
        raise Mismatch("The result is not a tensor, so it has no gradient.", got=result, expected=wanted)
    if not result.is_floating_point():
        dtype = str(result.dtype).removeprefix("torch.")
        sentence = f"The result has the dtype {dtype}, and only floating-point numbers have a gradient."
        raise Mismatch(sentence, got=result, expected=expected)
    if not result.requires_grad:
        sentence = "The result is cut off from the graph: keep to torch operations, without torch.no_grad()."
        raise Mismatch(sentence, got=result, expected=expected)
    return result


def _uneven(tensor: torch.Tensor) -> torch.Tensor:
    ramp = torch.linspace(0.5, 1.5, max(tensor.numel(), 1), dtype=tensor.dtype)[: tensor.numel()]
    return ramp.reshape(tensor.shape)


def _gradients(
    result: torch.Tensor, inputs: Mapping[str, torch.Tensor], upstream: torch.Tensor
) -> tuple[torch.Tensor | None, ...]:
    found: tuple[torch.Tensor | None, ...] = torch.autograd.grad(
        result, tuple(inputs.values()), upstream, allow_unused=True
    )
    return found
