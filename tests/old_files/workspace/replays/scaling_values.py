# scaling: Every value is doubled
# A case that fails, written by `grade replay scaling`. It needs no grader: run it, change it.
# As it was written: 8a249ebf255c

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "exercises"))
import scaling

x = torch.tensor([1.0])
torch.manual_seed(0)  # as before every call while grading
# Put `breakpoint()` here, or into your function, to look around.
result = scaling.double(x)

got = result
expected = torch.tensor([2.0])
print("got", got, sep="\n")
print("expected", expected, sep="\n")
assert type(got) is torch.Tensor, f"got a {type(got).__name__} where a tensor is expected"
assert tuple(got.shape) == (1,), tuple(got.shape)
torch.testing.assert_close(got, expected, rtol=0.001, atol=0.0001, equal_nan=True, check_dtype=False)
print("This case passes.")
