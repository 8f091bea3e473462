"""Networks that keep a journal, optimizers, and the student's own LeNet. Holds no answer."""

import torch
from torch import nn


class Notes:
    """What a network notes. Its copies write into the same notes, so one may be measured in the network's place."""

    def __init__(self) -> None:
        self.journal: list[str] = []
        self.ran_in: set[str] = set()
        self.tracked = False

    def __deepcopy__(self, memo: dict) -> "Notes":
        """Return the notes themselves."""
        return self


class Journalled(nn.Module):
    """A small network (N, 1, H, W) -> (N, 4) that notes each forward and backward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3, bias=False)
        self.norm = nn.BatchNorm2d(3)
        self.block = nn.Sequential(nn.Tanh(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.head = nn.Linear(12, 4)
        self.notes = Notes()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits; a hook notes the backward pass."""
        self.notes.journal.append("forward")
        self.notes.ran_in.add("training" if self.training else "evaluation")
        self.notes.tracked = torch.is_grad_enabled()
        logits = self.head(self.block(self.norm(self.conv(x))))
        if logits.requires_grad:
            logits.register_hook(lambda _: self.notes.journal.append("backward"))
        return logits


class Nested(nn.Module):
    """A network (N, 1, H, W) -> (N, 4) of blocks: its head stands in one, and is not its last module.

    The head has no bias, and what reaches it grows with the images. There is a BatchNorm for images, for volumes and
    for vectors, and one without parameters.
    """

    def __init__(self) -> None:
        super().__init__()
        volume = nn.Sequential(nn.Unflatten(1, (3, 1)), nn.BatchNorm3d(3), nn.Flatten(1, 2))
        conv, plain = nn.Conv2d(1, 3, 3, bias=False), nn.BatchNorm2d(3, affine=False)
        self.stem = nn.Sequential(conv, nn.BatchNorm2d(3), nn.Dropout(0.0), volume, plain)
        head = nn.Linear(6, 4, bias=False)
        self.classifier = nn.Sequential(
            nn.Linear(12, 6), nn.BatchNorm1d(6), nn.LeakyReLU(0.1), head, nn.Identity()
        )
        self.modes: dict[str, bool] = {}
        for name in ("stem.1", "stem.2"):
            self.get_submodule(name).register_forward_hook(self._noted(name))

    def _noted(self, name: str):
        def note(layer: nn.Module, *_: object) -> None:
            self.modes[name] = layer.training

        return note

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits."""
        return self.classifier(nn.functional.adaptive_avg_pool2d(self.stem(x), 2).flatten(1))


class JournalledSGD(torch.optim.SGD):
    """SGD that notes its own calls in the journal of its network."""

    def __init__(self, model: Journalled, lr: float, momentum: float) -> None:
        self.journal = model.notes.journal
        super().__init__(model.parameters(), lr=lr, momentum=momentum)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Note it, and clear the gradients."""
        self.journal.append("zero_grad")
        super().zero_grad(set_to_none)

    def step(self, closure=None):
        """Run the closure, if there is one, which computes the gradients; note the step, and take it."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self.journal.append("step")
        super().step()
        return loss


def network() -> nn.Module:
    """Return the small network, always with the same weights, in training mode."""
    torch.manual_seed(0)
    return Journalled()


def steep() -> nn.Module:
    """Return the small network with a head so large that gradients are, too."""
    model = network()
    with torch.no_grad():
        model.head.weight.mul_(100)
    return model


def partly_frozen() -> nn.Module:
    """Return the small network with a frozen convolution, which holds a gradient of earlier steps."""
    model = network()
    model.conv.requires_grad_(False)
    model.conv.weight.grad = torch.ones_like(model.conv.weight)
    return model


def partly_awake() -> nn.Module:
    """Return the small network in evaluation mode, but for one layer and one inside a block."""
    model = network().eval()
    model.norm.train()
    model.block[0].train()
    return model


def with_head(build: str, state: dict[str, torch.Tensor], lr: float) -> list:
    """Return a network with a head for 5 classes and this state, and an optimizer for this head, which alone trains."""
    model = {"network": network, "nested": nested}[build]()
    has_bias = "head.bias" in state or "classifier.3.bias" in state
    head = nn.Linear(12 if build == "network" else 6, 5, bias=has_bias)
    if build == "network":
        model.head = head
    else:
        model.classifier[3] = head
    model.load_state_dict(state)
    model.requires_grad_(False)
    head.requires_grad_(True)
    return [model, torch.optim.SGD(head.parameters(), lr=lr)]


def moving(model: nn.Module, x: torch.Tensor) -> list[str]:
    """Return which parameters move in a step of an optimizer that holds all of them."""
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = None
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    loss = model(x).square().sum()
    if loss.requires_grad:
        loss.backward()
    optimizer.step()
    return [name for name, value in model.named_parameters() if not torch.equal(value, before[name])]


def nested() -> nn.Module:
    """Return the network of blocks, always with the same weights, in training mode."""
    torch.manual_seed(0)
    return Nested()


def modes_inside(model: nn.Module) -> dict[str, bool]:
    """Return whether BatchNorm (stem.1) and dropout (stem.2) of the network of blocks last ran in training mode."""
    return dict(model.modes)


def sgd(model: nn.Module, lr: float, momentum: float) -> torch.optim.SGD:
    """Return SGD over all parameters."""
    return JournalledSGD(model, lr, momentum)


def journal(model: nn.Module) -> list[str]:
    """Return what happened, in order."""
    return list(model.notes.journal)


def ran_in(model: nn.Module) -> list[str]:
    """Return the modes in which the model has run forward, each once."""
    return sorted(model.notes.ran_in)


def tracked(model: nn.Module) -> bool:
    """Tell whether the last forward pass recorded a graph."""
    return model.notes.tracked


def state(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return copies of all parameters and buffers by name."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def leave_gradients(model: nn.Module) -> None:
    """Leave a gradient of ones on every parameter, as an interrupted step would."""
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)


def rest(model: nn.Module, name: str) -> None:
    """Put one module into evaluation mode."""
    model.get_submodule(name).eval()


def modes(model: nn.Module) -> dict[str, bool]:
    """Return which modules are in training mode, by name."""
    return {name or "the model": module.training for name, module in model.named_modules()}


# --- the student's own LeNet


def lenet_trouble() -> str:
    """Say why the LeNet beside training.py cannot be trained; nothing when it can."""
    try:
        from lenet import LeNet

        LeNet()(torch.zeros(2, 1, 28, 28))
    except NotImplementedError:
        return "LeNet in lenet.py is not written yet"
    except Exception as error:  # noqa: BLE001 - the student's module may raise anything
        if getattr(error, "name", "") == "lenet" and isinstance(error, ModuleNotFoundError):
            return "there is no lenet.py beside training.py"
        return f"LeNet in lenet.py raises {type(error).__name__}"
    return ""


def LeNet() -> nn.Module:  # noqa: N802 - its label in sentences
    """Return the student's LeNet, with weights that depend on nothing but their names and shapes."""
    from lenet import LeNet as Own

    model = Own()
    torch.manual_seed(0)
    for _, parameter in sorted(model.named_parameters(), key=lambda pair: pair[0]):
        bound = parameter[0].numel() ** -0.5 if parameter.dim() > 1 else 0.0  # as torch does it for weights
        with torch.no_grad():
            parameter.uniform_(-bound, bound)
    return model


def adam(model: nn.Module, lr: float) -> torch.optim.Adam:
    """Return Adam over all parameters."""
    return torch.optim.Adam(model.parameters(), lr=lr, fused=True)
