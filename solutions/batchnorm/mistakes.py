"""Known mistakes of batch normalisation."""

import reference
import torch
from reference import per_channel
from torch import nn

from grader.mistakes import mistake

AXES = (0, 2, 3)


@mistake("BatchNorm2d")
class UnbiasedForward(reference.BatchNorm2d):
    """`torch.var` divides by n - 1 unless told otherwise: to normalise the batch, pass correction=0."""

    def batch_statistics(self, x):
        return x.mean(dim=AXES), x.var(dim=AXES)

    @torch.no_grad()
    def track(self, mean, var, count):
        super().track(mean, var * (count - 1) / count, count)


@mistake("BatchNorm2d")
class BiasedRunning(reference.BatchNorm2d):
    """There are two variances: normalise with the biased one, but keep the unbiased one, which divides by n - 1,
    in running_var. Well-known courses use the biased one for both, so you are in good company.
    """

    @torch.no_grad()
    def track(self, mean, var, count):
        super().track(mean, var * (count - 1) / count, count)


@mistake("BatchNorm2d")
class MomentumReversed(reference.BatchNorm2d):
    """In torch, momentum weighs the new batch: (1 - momentum) * old + momentum * new. Keras and CS231n define it
    the other way round.
    """

    @torch.no_grad()
    def track(self, mean, var, count):
        self.momentum = 1 - self.momentum
        super().track(mean, var, count)
        self.momentum = 1 - self.momentum


@mistake("BatchNorm2d")
class MomentumHardCoded(reference.BatchNorm2d):
    """Your running statistics always move by 0.1 of the way: use the argument `momentum`."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):  # noqa: ARG002 - that is the mistake
        super().__init__(num_features, eps=eps, affine=affine)


@mistake("BatchNorm2d")
class ReshapeNoPermute(reference.BatchNorm2d):
    """reshape(-1, C) does not move the channel axis, so it mixes channels: permute to (N, H, W, C) first."""

    def batch_statistics(self, x):
        rows = x.reshape(-1, x.shape[1])
        return rows.mean(dim=0), rows.var(dim=0, correction=0)


@mistake("BatchNorm2d")
class AxisZeroOnly(reference.BatchNorm2d):
    """You average over the batch axis alone, which leaves statistics for every pixel: average over
    dim=(0, 2, 3), and one value per channel remains.
    """

    def forward(self, x):
        if not self.training:
            return super().forward(x)
        mean, var = x.mean(dim=0), x.var(dim=0, correction=0)
        self.track(mean.mean(dim=(1, 2)), var.mean(dim=(1, 2)), x.numel() // x.shape[1])
        return self.scale_and_shift((x - mean) / torch.sqrt(var + self.eps))


@mistake("BatchNorm2d")
class PerImage(reference.BatchNorm2d):
    """You normalise each image by itself, which is instance normalisation: the batch axis belongs to the
    average too, dim=(0, 2, 3).
    """

    def forward(self, x):
        if not self.training:
            return super().forward(x)
        self.track(*self.batch_statistics(x), x.numel() // x.shape[1])
        mean, var = x.mean(dim=(2, 3), keepdim=True), x.var(dim=(2, 3), correction=0, keepdim=True)
        return self.scale_and_shift((x - mean) / torch.sqrt(var + self.eps))


@mistake("BatchNorm2d")
class OneForAllChannels(reference.BatchNorm2d):
    """You take one mean and one variance for all channels together: each channel needs its own."""

    def batch_statistics(self, x):
        channels = x.shape[1]
        return x.mean().expand(channels), x.var(correction=0).expand(channels)


@mistake("BatchNorm2d")
class NoEps(reference.BatchNorm2d):
    """The formula of the notes lacks eps: a constant channel has variance 0, and you divide 0 by 0. Put
    var + eps under the square root.
    """

    def normalise(self, x, mean, var):
        return (x - per_channel(mean)) / torch.sqrt(per_channel(var))


@mistake("BatchNorm2d")
class EpsOutside(reference.BatchNorm2d):
    """eps goes inside the square root, sqrt(var + eps). Outside of it, it is far too small to matter."""

    def normalise(self, x, mean, var):
        return (x - per_channel(mean)) / (torch.sqrt(per_channel(var)) + self.eps)


@mistake("BatchNorm2d")
class EpsHardCoded(reference.BatchNorm2d):
    """Your layer always uses eps = 1e-5: use the argument `eps`."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):  # noqa: ARG002 - that is the mistake
        super().__init__(num_features, momentum=momentum, affine=affine)


@mistake("BatchNorm2d")
class VarianceNotRooted(reference.BatchNorm2d):
    """You divide by the variance: take its square root, which is the standard deviation."""

    def normalise(self, x, mean, var):
        return (x - per_channel(mean)) / (per_channel(var) + self.eps)


@mistake("BatchNorm2d")
class EvalUsesBatch(reference.BatchNorm2d):
    """In evaluation your layer still normalises with the batch at hand: use running_mean and running_var there."""

    def forward(self, x):
        mean, var = self.batch_statistics(x)
        if self.training:
            self.track(mean, var, x.numel() // x.shape[1])
        return self.scale_and_shift(self.normalise(x, mean, var))


@mistake("BatchNorm2d")
class EvalStillTracks(reference.BatchNorm2d):
    """Your running statistics move in evaluation too: update them only where self.training is true."""

    def forward(self, x):
        mean, var = self.batch_statistics(x)
        self.track(mean, var, x.numel() // x.shape[1])
        if not self.training:
            mean, var = self.running_mean, self.running_var
        return self.scale_and_shift(self.normalise(x, mean, var))


@mistake("BatchNorm2d")
class TrainsOnRunning(reference.BatchNorm2d):
    """In training your layer normalises with the running statistics: use those of the batch itself, and keep
    the running ones for evaluation.
    """

    def forward(self, x):
        if self.training:
            self.track(*self.batch_statistics(x), x.numel() // x.shape[1])
        return self.scale_and_shift(self.normalise(x, self.running_mean, self.running_var))


@mistake("BatchNorm2d")
class GradModeDecides(reference.BatchNorm2d):
    """You ask torch.is_grad_enabled() whether the layer trains: ask self.training, which train() and eval() set."""

    def forward(self, x):
        if torch.is_grad_enabled():
            mean, var = self.batch_statistics(x)
            self.track(mean, var, x.numel() // x.shape[1])
        else:
            mean, var = self.running_mean, self.running_var
        return self.scale_and_shift(self.normalise(x, mean, var))


@mistake("BatchNorm2d")
class RunningInLocals(reference.BatchNorm2d):
    """You compute the new running statistics into local names, which end with the call: assign them to
    self.running_mean and self.running_var, or use copy_.
    """

    @torch.no_grad()
    def track(self, mean, var, count):  # noqa: ARG002 - what is computed from them is lost
        self.num_batches_tracked += 1


@mistake("BatchNorm2d")
class StdInRunningVar(reference.BatchNorm2d):
    """You keep a standard deviation in running_var: keep the variance, without the square root."""

    @torch.no_grad()
    def track(self, mean, var, count):
        unbiased = var * count / (count - 1)
        super().track(mean, unbiased.sqrt() * (count - 1) / count, count)


@mistake("BatchNorm2d")
class NoCounter(reference.BatchNorm2d):
    """You never count the batches: add 1 to num_batches_tracked for each batch in training."""

    @torch.no_grad()
    def track(self, mean, var, count):
        super().track(mean, var, count)
        self.num_batches_tracked.zero_()


@mistake("BatchNorm2d")
class PlainAttributes(reference.BatchNorm2d):
    """Your running statistics are plain attributes, which are neither saved nor converted with the layer:
    declare them with self.register_buffer.
    """

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
        super().__init__(num_features, eps, momentum, affine)
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            value = getattr(self, name)
            delattr(self, name)
            setattr(self, name, value)


@mistake("BatchNorm2d")
class StatisticsAsParameters(reference.BatchNorm2d):
    """Your running statistics are parameters, so an optimizer would train them: make them buffers with
    self.register_buffer.
    """

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
        super().__init__(num_features, eps, momentum, affine)
        for name in ("running_mean", "running_var"):
            value = getattr(self, name)
            delattr(self, name)
            setattr(self, name, nn.Parameter(value))


@mistake("BatchNorm2d")
class StatisticsOfFourAxes(reference.BatchNorm2d):
    """You keep everything as (1, C, 1, 1): torch keeps (C,). Store (C,), and view it as (1, C, 1, 1) only to
    compute with it.
    """

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
        super().__init__(num_features, eps, momentum, affine)
        for tensor in (*self.parameters(), self.running_mean, self.running_var):
            tensor.data = per_channel(tensor.data)

    def batch_statistics(self, x):
        mean, var = super().batch_statistics(x)
        return per_channel(mean), per_channel(var)


@mistake("BatchNorm2d")
class NoAffine(reference.BatchNorm2d):
    """You never use weight and bias: multiply the normalised values by weight, and add bias."""

    def scale_and_shift(self, x):
        return x


@mistake("BatchNorm2d")
class AlwaysAffine(reference.BatchNorm2d):
    """Your layer has a weight and a bias even with affine=False: then there must be none."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):  # noqa: ARG002 - that is the mistake
        super().__init__(num_features, eps, momentum)


@mistake("BatchNorm2d")
class StatisticsDetached(reference.BatchNorm2d):
    """You cut mean and variance of the batch off from the graph: only the running statistics are computed
    without gradients, because the batch's depend on x, and its gradient must go through them.
    """

    def batch_statistics(self, x):
        mean, var = super().batch_statistics(x)
        return mean.detach(), var.detach()


@mistake("BatchNorm2d")
class StatisticsInGraph(reference.BatchNorm2d):
    """Your running statistics stay joined to the graph, so the graph of every past batch is kept: update them
    under torch.no_grad(), or from mean.detach().
    """

    def track(self, mean, var, count):
        unbiased = var * count / (count - 1)
        self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * mean
        self.running_var = (1 - self.momentum) * self.running_var + self.momentum * unbiased
        self.num_batches_tracked += 1


@mistake("BatchNorm2d")
class InPlace(reference.BatchNorm2d):
    """`x -= mean` and `x.sub_(mean)` change the caller's tensor: write x - mean, which makes a new one."""

    def normalise(self, x, mean, var):
        root = torch.sqrt(per_channel(var) + self.eps)
        return x.sub_(per_channel(mean)).div_(root)
