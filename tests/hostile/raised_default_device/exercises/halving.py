"""Makes a device that is not here the default one."""

import torch
from honest import halve, largest


torch.set_default_device("cuda")
