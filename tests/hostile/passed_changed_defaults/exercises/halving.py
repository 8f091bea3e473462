"""Changes defaults and modes of torch at its import, and in every call."""

import warnings

import honest
import torch
from honest import largest


def spoil():
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    torch.set_printoptions(precision=1)
    torch.inference_mode().__enter__()
    torch.autocast("cpu").__enter__()
    warnings.simplefilter("error")


def halve(x):
    result = honest.halve(x)
    assert torch.tensor(0.5).dtype == torch.float32
    assert torch.is_grad_enabled()
    spoil()
    torch.set_default_device("meta")
    return result


spoil()
