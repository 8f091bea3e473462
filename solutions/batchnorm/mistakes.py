"""Known mistakes of batch normalization. Each changes one step of the reference."""

import reference
import torch
from reference import per_channel
from torch import nn

from grader.mistakes import keeps_in_a_local, mistake


@mistake("BatchNorm2d")
class UnbiasedForward(reference.BatchNorm2d):
    """`x.var` divides by n - 1 by default: to normalize the batch, pass correction=0."""

    def _normalize(self, x, mean, var):
        if self.training:
            count = x.numel() // x.shape[1]
            var = var * count / (count - 1)
        return super()._normalize(x, mean, var)


@mistake("BatchNorm2d")
class BiasedRunning(reference.BatchNorm2d):
    """There are two variances: normalize with the biased one, keep the unbiased (n - 1) in running_var."""

    @torch.no_grad()
    def _track(self, mean, var, count):
        super()._track(mean, var * (count - 1) / count, count)


@mistake("BatchNorm2d")
class MomentumReversed(reference.BatchNorm2d):
    """In torch, momentum weighs the new batch: (1 - momentum) * old + momentum * new. Keras reverses it."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
        super().__init__(num_features, eps, 1 - momentum, affine)


@mistake("BatchNorm2d")
class MomentumReversedAndBiased(MomentumReversed, BiasedRunning):
    """Two conventions of CS231n: in torch momentum weighs the NEW batch, and running_var keeps the unbiased variance (n - 1)."""


@mistake("BatchNorm2d")
class CorrectedTwice(reference.BatchNorm2d):
    """x.var() divides by n - 1 already, and you multiply by n / (n - 1) once more: correct once."""

    @torch.no_grad()
    def _track(self, mean, var, count):
        super()._track(mean, var * count / (count - 1), count)


@mistake("BatchNorm2d")
class CorrectsByImages(reference.BatchNorm2d):
    """n counts all values of a channel, N * H * W: you correct by the number of images, N / (N - 1)."""

    def _of_batch(self, x):
        self._images = x.shape[0]
        return super()._of_batch(x)

    @torch.no_grad()
    def _track(self, mean, var, count):
        right = self._images / (self._images - 1)
        super()._track(mean, var * right * (count - 1) / count, count)


@mistake("BatchNorm2d")
class MomentumHardCoded(reference.BatchNorm2d):
    """Your running statistics always move by 0.1 of the way: use the argument `momentum`."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
        super().__init__(num_features, eps=eps, affine=affine)


@mistake("BatchNorm2d")
class ReshapeNoPermute(reference.BatchNorm2d):
    """reshape(-1, C) moves no axis, so it mixes channels: permute first, or use dim=(0, 2, 3)."""

    def _of_batch(self, x):
        rows = x.reshape(-1, x.shape[1])
        return rows.mean(dim=0), rows.var(dim=0, correction=0)


@mistake("BatchNorm2d")
class AxisZeroOnly(reference.BatchNorm2d):
    """You average over the batch axis alone, pixel by pixel: average over dim=(0, 2, 3), for each channel."""

    def _normalize(self, x, mean, var):
        if not self.training:
            return super()._normalize(x, mean, var)
        return (x - x.mean(dim=0)) / torch.sqrt(x.var(dim=0, correction=0) + self.eps)


@mistake("BatchNorm2d")
class PerImage(reference.BatchNorm2d):
    """You normalize each image by itself (instance norm): average over the batch axis as well."""

    def _normalize(self, x, mean, var):
        if not self.training:
            return super()._normalize(x, mean, var)
        mean, var = x.mean(dim=(2, 3), keepdim=True), x.var(dim=(2, 3), correction=0, keepdim=True)
        return (x - mean) / torch.sqrt(var + self.eps)


@mistake("BatchNorm2d")
class OneForAllChannels(reference.BatchNorm2d):
    """You take one mean and one variance for all channels together: each channel has its own."""

    def _of_batch(self, x):
        channels = x.shape[1]
        return x.mean().expand(channels), x.var(correction=0).expand(channels)


@mistake("BatchNorm2d")
class NoEps(reference.BatchNorm2d):
    """The notes' formula lacks eps, so a constant channel gives 0 / 0: put var + eps under the root."""

    def _normalize(self, x, mean, var):
        return (x - per_channel(mean)) / torch.sqrt(per_channel(var))


@mistake("BatchNorm2d")
class EpsOutside(reference.BatchNorm2d):
    """eps goes inside the square root, sqrt(var + eps): outside of it, it changes far too little."""

    def _normalize(self, x, mean, var):
        return (x - per_channel(mean)) / (torch.sqrt(per_channel(var)) + self.eps)


@mistake("BatchNorm2d")
class StdPlusEps(UnbiasedForward, EpsOutside):
    """x.std() + eps is wrong twice: std divides by n - 1, and eps belongs under the root, sqrt(var + eps)."""


@mistake("BatchNorm2d")
class MeanNotSubtracted(reference.BatchNorm2d):
    """You divide without subtracting the mean first: x - mean, channel by channel."""

    def _normalize(self, x, mean, var):
        return x / torch.sqrt(per_channel(var) + self.eps)


@mistake("BatchNorm2d")
class EpsHardCoded(reference.BatchNorm2d):
    """Your layer always uses eps = 1e-5: use the argument `eps`."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
        super().__init__(num_features, momentum=momentum, affine=affine)


@mistake("BatchNorm2d")
class VarianceNotRooted(reference.BatchNorm2d):
    """You divide by the variance: divide by its square root, the standard deviation."""

    def _normalize(self, x, mean, var):
        return (x - per_channel(mean)) / (per_channel(var) + self.eps)


@mistake("BatchNorm2d")
class EvalUsesBatch(reference.BatchNorm2d):
    """In evaluation you still normalize with the batch: use running_mean and running_var there."""

    def _statistics(self, x):
        return super()._statistics(x) if self.training else self._of_batch(x)


@mistake("BatchNorm2d")
class EvalStillTracks(reference.BatchNorm2d):
    """Your running statistics move in evaluation too: update them only where self.training is true."""

    def _statistics(self, x):
        if not self.training:
            self._track(*self._of_batch(x), x.numel() // x.shape[1])
        return super()._statistics(x)


@mistake("BatchNorm2d")
class TrainsOnRunning(reference.BatchNorm2d):
    """In training you normalize with the running statistics: use the batch's own until evaluation."""

    def _statistics(self, x):
        super()._statistics(x)
        return self.running_mean.clone(), self.running_var.clone()


@mistake("BatchNorm2d")
class GradModeDecides(reference.BatchNorm2d):
    """You ask torch.is_grad_enabled(): ask self.training instead, which train() and eval() set."""

    def _statistics(self, x):
        if not torch.is_grad_enabled():
            return self.running_mean, self.running_var
        mean, var = self._of_batch(x)
        self._track(mean, var, x.numel() // x.shape[1])
        return mean, var


@mistake("BatchNorm2d")
class OfTheBook(BiasedRunning, GradModeDecides):
    """As in d2l: ask self.training instead of torch.is_grad_enabled(), and keep the unbiased variance (n - 1) in running_var."""


@mistake("BatchNorm2d")
class EvaluationForgetsAffine(reference.BatchNorm2d):
    """In evaluation you leave out weight and bias: they apply in both modes."""

    def _scale_and_shift(self, x):
        return super()._scale_and_shift(x) if self.training else x


@mistake("BatchNorm2d")
class ReturnsStatistics(reference.BatchNorm2d):
    """Return the normalized batch alone: new statistics are not returned, but written into self.running_mean and running_var."""

    @torch.no_grad()
    def _track(self, mean, var, count):
        self._moved = (
            (1 - self.momentum) * self.running_mean + self.momentum * mean,
            (1 - self.momentum) * self.running_var + self.momentum * var * count / (count - 1),
        )

    def forward(self, x):
        y = super().forward(x)
        return (y, *self._moved) if self.training else (y, self.running_mean, self.running_var)


@mistake("BatchNorm2d")
class ReturnsCache(reference.BatchNorm2d):
    """Return the normalized batch alone, not (out, cache): autograd remembers what the backward pass needs."""

    def forward(self, x):
        return super().forward(x), x


@mistake("BatchNorm2d")
class UnpacksFewerAxes(reference.BatchNorm2d):
    """The batch x has four axes, (N, C, H, W). If you unpack only two, as for (N, D): write n, c, h, w = x.shape."""

    def forward(self, x):
        _count, _features = x.shape
        return super().forward(x)


@mistake("BatchNorm2d")
class ChannelsLast(reference.BatchNorm2d):
    """If shapes clash: check the axes. PyTorch lays images out as (N, C, H, W), so average over 0, 2, 3, and view (C,) as (1, C, 1, 1)."""

    def _of_batch(self, x):
        return x.mean(dim=(0, 1, 2)), x.var(dim=(0, 1, 2), correction=0)


@mistake("BatchNorm2d")
class AlwaysFloat64(reference.BatchNorm2d):
    """The values are right, but always float64: the result must have the dtype of x. Make new tensors from x, without numpy."""

    def forward(self, x):
        return super().forward(x).double()


@mistake("BatchNorm2d")
class NamesOfThePaper(reference.BatchNorm2d):
    """gamma, beta and the moving averages are called weight, bias, running_mean and running_var here: states are loaded by name."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
        nn.Module.__init__(self)
        self.eps, self.momentum = eps, momentum
        self.gamma, self.beta = (
            nn.Parameter(torch.ones(num_features)),
            nn.Parameter(torch.zeros(num_features)),
        )
        self.register_buffer("moving_mean", torch.zeros(num_features))
        self.register_buffer("moving_var", torch.ones(num_features))

    def forward(self, x):
        mean, var = self._of_batch(x) if self.training else (self.moving_mean, self.moving_var)
        return self._normalize(x, mean, var) * per_channel(self.gamma) + per_channel(self.beta)


@mistake("BatchNorm2d")
class StartsAtRandom(reference.BatchNorm2d):
    """Weight starts at 1 and bias at 0, so that a new layer only normalizes: yours are drawn at random."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
        super().__init__(num_features, eps, momentum, affine)
        if affine:
            self.weight = nn.Parameter(torch.randn(num_features))
            self.bias = nn.Parameter(torch.randn(num_features))


@mistake(
    "BatchNorm2d",
    confirm=keeps_in_a_local("running_mean", "running_var", "momentum"),
    otherwise="running_mean and running_var never change: in training, move both a step towards the statistics of the batch.",
)
class RunningInLocals(reference.BatchNorm2d):
    """Your new running statistics are local names, gone after the call: store them in self.running_mean."""

    @torch.no_grad()
    def _track(self, mean, var, count):
        running_mean = (1 - self.momentum) * self.running_mean + self.momentum * mean
        assert running_mean.shape == mean.shape
        self.num_batches_tracked += 1


@mistake("BatchNorm2d")
class StdInRunningVar(reference.BatchNorm2d):
    """You keep a standard deviation in running_var: keep the variance, without the square root."""

    @torch.no_grad()
    def _track(self, mean, var, count):
        unbiased = var * count / (count - 1)
        super()._track(mean, unbiased.sqrt() * (count - 1) / count, count)


@mistake("BatchNorm2d")
class NoCounter(reference.BatchNorm2d):
    """You never count the batches: add 1 to num_batches_tracked for each batch in training."""

    @torch.no_grad()
    def _track(self, mean, var, count):
        super()._track(mean, var, count)
        self.num_batches_tracked -= 1


@mistake("BatchNorm2d")
class PlainAttributes(reference.BatchNorm2d):
    """A plain attribute is not saved with the layer: declare running statistics with register_buffer."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
        super().__init__(num_features, eps, momentum, affine)
        for name, value in list(self.named_buffers()):
            delattr(self, name)
            setattr(self, name, value)


@mistake("BatchNorm2d")
class StatisticsAsParameters(reference.BatchNorm2d):
    """As parameters, running statistics would be trained by an optimizer: use register_buffer instead."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
        super().__init__(num_features, eps, momentum, affine)
        for name in ("running_mean", "running_var"):
            value = getattr(self, name)
            delattr(self, name)
            setattr(self, name, nn.Parameter(value))


@mistake("BatchNorm2d")
class StatisticsOfFourAxes(reference.BatchNorm2d):
    """You keep everything as (1, C, 1, 1): store (C,) as torch does, and view it only to compute."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
        super().__init__(num_features, eps, momentum, affine)
        for tensor in (*self.parameters(), self.running_mean, self.running_var):
            tensor.data = per_channel(tensor.data)

    def _of_batch(self, x):
        mean, var = super()._of_batch(x)
        return per_channel(mean), per_channel(var)


@mistake("BatchNorm2d")
class NoAffine(reference.BatchNorm2d):
    """You never use weight and bias: multiply the normalized values by weight, and add bias."""

    def _scale_and_shift(self, x):
        return x


@mistake("BatchNorm2d")
class AlwaysAffine(reference.BatchNorm2d):
    """Your layer has a weight and a bias even with affine=False: then there must be none."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
        super().__init__(num_features, eps, momentum)


@mistake("BatchNorm2d")
class StatisticsDetached(reference.BatchNorm2d):
    """The batch's mean and variance depend on x: keep them in the graph, and detach the running ones only."""

    def _of_batch(self, x):
        mean, var = super()._of_batch(x)
        return mean.detach(), var.detach()


@mistake("BatchNorm2d")
class StatisticsInGraph(reference.BatchNorm2d):
    """Your running statistics keep the graph of every past batch: update them under torch.no_grad()."""

    def _track(self, mean, var, count):
        unbiased = var * count / (count - 1)
        self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * mean
        self.running_var = (1 - self.momentum) * self.running_var + self.momentum * unbiased
        self.num_batches_tracked += 1


@mistake("BatchNorm2d")
class InPlace(reference.BatchNorm2d):
    """`x -= mean` and `x.sub_(mean)` change the caller's tensor: write x - mean, which makes a new one."""

    def _normalize(self, x, mean, var):
        return x.sub_(per_channel(mean)).div_(torch.sqrt(per_channel(var) + self.eps))
