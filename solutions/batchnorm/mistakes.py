"""Known mistakes of batch normalization. Each changes one step of the reference."""

import reference
import torch
from reference import BatchNorm2d, per_channel
from torch import nn

from grader.mistakes import keeps_in_a_local, mistake


@mistake("BatchNorm2d")
class UnbiasedForward(reference.BatchNorm2d):
    """You normalize the batch with the variance that divides by n - 1, the default of `x.var`: pass correction=0."""

    def _normalize(self, x, mean, var):
        if self.training:
            count = x.numel() // x.shape[1]
            var = var * count / (count - 1)
        return super()._normalize(x, mean, var)


@mistake("BatchNorm2d")
class BiasedRunning(reference.BatchNorm2d):
    """running_var keeps your biased variance: normalize with that one, and keep the unbiased one (n - 1)."""

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
    """running_var is corrected by n / (n - 1) twice, as if x.var(), which divides by n - 1 already, were corrected again."""

    @torch.no_grad()
    def _track(self, mean, var, count):
        super()._track(mean, var * count / (count - 1), count)


@mistake("BatchNorm2d")
class CorrectsByImages(reference.BatchNorm2d):
    """running_var is corrected as if n were the number of images, N / (N - 1): n counts all values of a channel, N * H * W."""

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
class MomentumZeroIgnored(reference.BatchNorm2d):
    """With momentum=0 your running statistics move by 0.1, as with `momentum or 0.1`: 0 is a momentum too, and only None is none."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
        super().__init__(num_features, eps, momentum or 0.1, affine)


@mistake("BatchNorm2d")
class ReshapeNoPermute(reference.BatchNorm2d):
    """Your means mix channels, as reshape(-1, C) does, which moves no axis: permute first, or use dim=(0, 2, 3)."""

    def _of_batch(self, x):
        rows = x.reshape(-1, x.shape[1])
        return rows.mean(dim=0), rows.var(dim=0, correction=0)


@mistake("BatchNorm2d")
class AxisZeroOnly(reference.BatchNorm2d):
    """Each pixel is normalized by itself, over the batch axis alone: average over dim=(0, 2, 3), for each channel."""

    def _normalize(self, x, mean, var):
        if not self.training:
            return super()._normalize(x, mean, var)
        return (x - x.mean(dim=0)) / torch.sqrt(x.var(dim=0, correction=0) + self.eps)


@mistake("BatchNorm2d")
class PerImage(reference.BatchNorm2d):
    """Each image is normalized by itself (instance norm): average over the batch axis as well."""

    def _normalize(self, x, mean, var):
        if not self.training:
            return super()._normalize(x, mean, var)
        mean, var = x.mean(dim=(2, 3), keepdim=True), x.var(dim=(2, 3), correction=0, keepdim=True)
        return (x - mean) / torch.sqrt(var + self.eps)


@mistake("BatchNorm2d")
class OneForAllChannels(reference.BatchNorm2d):
    """All channels share one mean and one variance: each channel has its own."""

    def _of_batch(self, x):
        channels = x.shape[1]
        return x.mean().expand(channels), x.var(correction=0).expand(channels)


@mistake("BatchNorm2d")
class NoEps(reference.BatchNorm2d):
    """Your results are those without eps, as in the notes, and a constant channel is 0 / 0: put var + eps under the root."""

    def _normalize(self, x, mean, var):
        return (x - per_channel(mean)) / torch.sqrt(per_channel(var))


@mistake("BatchNorm2d")
class EpsOutside(reference.BatchNorm2d):
    """eps goes inside the square root, sqrt(var + eps): outside of it, it changes far too little."""

    def _normalize(self, x, mean, var):
        return (x - per_channel(mean)) / (torch.sqrt(per_channel(var)) + self.eps)


@mistake("BatchNorm2d")
class EpsOutsideInEvaluation(EpsOutside):
    """In evaluation your results are those of eps outside the root: it goes inside in both modes, sqrt(running_var + eps)."""

    def _normalize(self, x, mean, var):
        normalize = BatchNorm2d._normalize if self.training else EpsOutside._normalize
        return normalize(self, x, mean, var)


@mistake("BatchNorm2d")
class NoEpsInEvaluation(NoEps):
    """In evaluation your results are those without eps: it belongs under the root in both modes, sqrt(running_var + eps)."""

    def _normalize(self, x, mean, var):
        normalize = BatchNorm2d._normalize if self.training else NoEps._normalize
        return normalize(self, x, mean, var)


@mistake("BatchNorm2d")
class EpsHardCodedInEvaluation(reference.BatchNorm2d):
    """In evaluation your results are those of eps = 1e-5, whatever eps is: use the argument `eps` in both modes."""

    def _normalize(self, x, mean, var):
        eps = self.eps if self.training else 1e-5
        return (x - per_channel(mean)) / torch.sqrt(per_channel(var) + eps)


@mistake("BatchNorm2d")
class EpsSquared(reference.BatchNorm2d):
    """Your results are those of eps * eps under the root: add eps itself, sqrt(var + eps)."""

    def _normalize(self, x, mean, var):
        return (x - per_channel(mean)) / torch.sqrt(per_channel(var) + self.eps**2)


@mistake("BatchNorm2d")
class SquaresFirst(reference.BatchNorm2d):
    """Far from zero your variance is wrong, as mean(x ** 2) - mean ** 2 is, which loses all digits: subtract the mean, then square."""

    def _of_batch(self, x):
        mean = x.mean(dim=(0, 2, 3))
        return mean, (x * x).mean(dim=(0, 2, 3)) - mean * mean


@mistake("BatchNorm2d")
class StdPlusEps(UnbiasedForward, EpsOutside):
    """Your results are those of x.std() + eps, which is wrong twice: std divides by n - 1, and eps belongs under the root, sqrt(var + eps)."""


@mistake("BatchNorm2d")
class MeanNotSubtracted(reference.BatchNorm2d):
    """Your result is that of a division without the mean taken away first: x - mean, channel by channel."""

    def _normalize(self, x, mean, var):
        return x / torch.sqrt(per_channel(var) + self.eps)


@mistake("BatchNorm2d")
class EpsHardCoded(reference.BatchNorm2d):
    """Your results are those of eps = 1e-5, whatever eps is: use the argument `eps`."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
        super().__init__(num_features, momentum=momentum, affine=affine)


@mistake("BatchNorm2d")
class VarianceNotRooted(reference.BatchNorm2d):
    """Your result is divided by the variance: divide by its square root, the standard deviation."""

    def _normalize(self, x, mean, var):
        return (x - per_channel(mean)) / (per_channel(var) + self.eps)


@mistake("BatchNorm2d")
class DeviationForVariance(reference.BatchNorm2d):
    """Your results are those of a standard deviation where the variance belongs: take var, and the square root of var + eps once."""

    def _of_batch(self, x):
        mean, var = super()._of_batch(x)
        return mean, var.sqrt()


@mistake(
    "BatchNorm2d", outlier="Two errors at once: a deviation for a variance, and one that divides by n - 1."
)
class DeviationByTheSample(reference.BatchNorm2d):
    """Your results are those of x.std() where the variance belongs: take x.var() with correction=0, and the square root of var + eps once."""

    def _of_batch(self, x):
        return x.mean(dim=(0, 2, 3)), x.std(dim=(0, 2, 3))


@mistake("BatchNorm2d")
class AffineAlongTheBatch(reference.BatchNorm2d):
    """Weight and bias are spread over the images of the batch, as by view(-1, 1, 1, 1): channels are axis 1, so view(1, -1, 1, 1)."""

    def _scale_and_shift(self, x):
        if self.weight is None:
            return x
        return x * self.weight.view(-1, 1, 1, 1) + self.bias.view(-1, 1, 1, 1)


@mistake("BatchNorm2d")
class AllAlongTheBatch(AffineAlongTheBatch):
    """All that belongs to channels is spread over the images of the batch, as by view(-1, 1, 1, 1): view(1, -1, 1, 1) has axis 1."""

    def _normalize(self, x, mean, var):
        mean, var = (values.view(-1, 1, 1, 1) for values in (mean, var))
        return (x - mean) / torch.sqrt(var + self.eps)


@mistake("BatchNorm2d")
class AffineAlongTheWidth(reference.BatchNorm2d):
    """Weight and bias run along the width, the last axis, as `x * self.weight` does: view them as (1, C, 1, 1) first."""

    def _scale_and_shift(self, x):
        return x if self.weight is None else x * self.weight + self.bias


@mistake("BatchNorm2d")
class EvalUsesBatch(reference.BatchNorm2d):
    """In evaluation your results still depend on the batch: use running_mean and running_var there."""

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
    """In training your results are those of the running statistics: use the batch's own until evaluation."""

    def _statistics(self, x):
        super()._statistics(x)
        return self.running_mean.clone(), self.running_var.clone()


@mistake("BatchNorm2d")
class GradModeDecides(reference.BatchNorm2d):
    """Under torch.no_grad() your layer evaluates, and with gradients it trains: let self.training alone decide, which train() and eval() set."""

    def _statistics(self, x):
        if not torch.is_grad_enabled():
            return self.running_mean, self.running_var
        mean, var = self._of_batch(x)
        self._track(mean, var, x.numel() // x.shape[1])
        return mean, var


@mistake("BatchNorm2d")
class BuffersReplaced(reference.BatchNorm2d):
    """After a batch your layer holds new tensors: write into its buffers, with copy_ or lerp_, because others may hold them too."""

    @torch.no_grad()
    def _track(self, mean, var, count):
        unbiased = var * count / (count - 1)
        self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * mean
        self.running_var = (1 - self.momentum) * self.running_var + self.momentum * unbiased
        self.num_batches_tracked += 1


@mistake("BatchNorm2d")
class ConventionsAndBuffersReplaced(MomentumReversed, BuffersReplaced):
    """Three habits of CS231n: momentum weighs the NEW batch here, running_var is unbiased (n - 1), and copy_ writes into a buffer."""

    @torch.no_grad()
    def _track(self, mean, var, count):
        super()._track(mean, var * (count - 1) / count, count)
        self.num_batches_tracked = self.num_batches_tracked.clone()


@mistake("BatchNorm2d")
class OfTheBook(BiasedRunning, GradModeDecides):
    """As in d2l: let self.training decide instead of torch.is_grad_enabled(), and keep the unbiased variance (n - 1) in running_var."""


@mistake("BatchNorm2d")
class AllOfTheBook(OfTheBook):
    """As in d2l: let self.training decide, keep the unbiased variance (n - 1), and write both into the buffers, with copy_."""

    @torch.no_grad()
    def _track(self, mean, var, count):
        super()._track(mean, var, count)
        self.running_mean, self.running_var = self.running_mean.clone(), self.running_var.clone()


@mistake("BatchNorm2d")
class TracksWithGradientsOnly(reference.BatchNorm2d):
    """In training under torch.no_grad() your running statistics stand still: they move whenever self.training is true."""

    def _track(self, mean, var, count):
        if torch.is_grad_enabled():
            super()._track(mean, var, count)


@mistake("BatchNorm2d")
class EvaluationForgetsAffine(reference.BatchNorm2d):
    """In evaluation your results lack weight and bias: they apply in both modes."""

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


@mistake("BatchNorm2d", outlier="It raises on every batch, so that only what __init__ makes can be judged.")
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
class ThroughNumpy(reference.BatchNorm2d):
    """Your result is float64 and lets no gradient pass, as through numpy: mean, var and arithmetic work on tensors as well."""

    def forward(self, x):
        return torch.from_numpy(super().forward(x).detach().double().numpy())


@mistake("BatchNorm2d")
class CutFromTheGraph(reference.BatchNorm2d):
    """The values are right, but no gradient flows back, as from .detach() or .data: keep the result in the graph."""

    def forward(self, x):
        return super().forward(x).detach()


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
        mean, var = self.moving_mean, self.moving_var
        if self.training:
            mean, var = self._of_batch(x)
            count = x.numel() // x.shape[1]
            self.moving_mean.lerp_(mean.detach(), self.momentum)
            self.moving_var.lerp_(var.detach() * count / (count - 1), self.momentum)
        return self._normalize(x, mean, var) * per_channel(self.gamma) + per_channel(self.beta)


@mistake("BatchNorm2d")
class CounterMissing(reference.BatchNorm2d):
    """The buffer num_batches_tracked is missing: register torch.tensor(0) under that name, and add 1 for each batch in training."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
        super().__init__(num_features, eps, momentum, affine)
        del self.num_batches_tracked

    @torch.no_grad()
    def _track(self, mean, var, count):
        self.num_batches_tracked = torch.tensor(0)
        super()._track(mean, var, count)
        del self.num_batches_tracked


@mistake("BatchNorm2d")
class ViewsX(reference.BatchNorm2d):
    """x may itself be a view, with its numbers in another order in memory, and x.view(...) raises: use x.reshape(...)."""

    def _of_batch(self, x):
        rows = x.view(x.shape[0], x.shape[1], -1)
        return rows.mean(dim=(0, 2)), rows.var(dim=(0, 2), correction=0)


@mistake("BatchNorm2d")
class EvaluationWantsABatch(reference.BatchNorm2d):
    """In evaluation your layer refuses one value per channel: only a batch in training needs more, for its variance."""

    def forward(self, x):
        if x.numel() == x.shape[1]:
            raise ValueError("one value per channel")
        return super().forward(x)


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
    """running_mean and running_var are local names, which end with the call: write into self.running_mean and self.running_var."""

    @torch.no_grad()
    def _track(self, mean, var, count):
        running_mean = (1 - self.momentum) * self.running_mean + self.momentum * mean
        assert running_mean.shape == mean.shape
        self.num_batches_tracked += 1


@mistake("BatchNorm2d")
class StdInRunningVar(reference.BatchNorm2d):
    """running_var moves towards a standard deviation: keep the variance, without the square root."""

    @torch.no_grad()
    def _track(self, mean, var, count):
        unbiased = var * count / (count - 1)
        super()._track(mean, unbiased.sqrt() * (count - 1) / count, count)


@mistake("BatchNorm2d")
class NoCounter(reference.BatchNorm2d):
    """num_batches_tracked stays at 0: add 1 to it for each batch in training."""

    @torch.no_grad()
    def _track(self, mean, var, count):
        super()._track(mean, var, count)
        self.num_batches_tracked -= 1


@mistake("BatchNorm2d")
class PlainAttributes(reference.BatchNorm2d):
    """The running statistics are missing in the state_dict, as plain attributes are: declare them with register_buffer."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
        super().__init__(num_features, eps, momentum, affine)
        for name, value in list(self.named_buffers()):
            delattr(self, name)
            setattr(self, name, value)


@mistake("BatchNorm2d")
class StatisticsAsParameters(reference.BatchNorm2d):
    """Your running statistics are parameters, which an optimizer would train: use register_buffer instead."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
        super().__init__(num_features, eps, momentum, affine)
        for name in ("running_mean", "running_var"):
            value = getattr(self, name)
            delattr(self, name)
            setattr(self, name, nn.Parameter(value))


@mistake("BatchNorm2d")
class StatisticsOfFourAxes(reference.BatchNorm2d):
    """Your layer keeps everything as (1, C, 1, 1): store (C,) as torch does, and view it only to compute."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
        super().__init__(num_features, eps, momentum, affine)
        for tensor in (*self.parameters(), self.running_mean, self.running_var):
            tensor.data = per_channel(tensor.data)

    def _of_batch(self, x):
        mean, var = super()._of_batch(x)
        return per_channel(mean), per_channel(var)


@mistake("BatchNorm2d")
class NoAffine(reference.BatchNorm2d):
    """Weight and bias change nothing in your results: multiply the normalized values by weight, and add bias."""

    def _scale_and_shift(self, x):
        return x


@mistake("BatchNorm2d")
class AlwaysAffine(reference.BatchNorm2d):
    """Your layer has a weight and a bias even with affine=False: then there must be none."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
        super().__init__(num_features, eps, momentum)


@mistake("BatchNorm2d")
class StatisticsDetached(reference.BatchNorm2d):
    """The gradient of x is the one for a fixed mean and variance, and both depend on x: detach the running ones only."""

    def _of_batch(self, x):
        mean, var = super()._of_batch(x)
        return mean.detach(), var.detach()


@mistake("BatchNorm2d")
class MeanDetached(reference.BatchNorm2d):
    """The gradient of x is the one for a fixed mean, and the mean depends on x as the variance does: leave both in the graph."""

    def _of_batch(self, x):
        mean, var = super()._of_batch(x)
        return mean.detach(), var


@mistake("BatchNorm2d")
class VarianceDetached(reference.BatchNorm2d):
    """The gradient of x is the one for a fixed variance, and the variance depends on x as the mean does: leave both in the graph."""

    def _of_batch(self, x):
        mean, var = super()._of_batch(x)
        return mean, var.detach()


@mistake("BatchNorm2d")
class StatisticsInGraph(reference.BatchNorm2d):
    """Your running statistics keep the graph of every past batch: write them into the buffers under torch.no_grad()."""

    def _track(self, mean, var, count):
        unbiased = var * count / (count - 1)
        self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * mean
        self.running_var = (1 - self.momentum) * self.running_var + self.momentum * unbiased
        self.num_batches_tracked += 1


@mistake("BatchNorm2d")
class InPlace(reference.BatchNorm2d):
    """The caller's tensor is changed, as `x -= mean` and `x.sub_(mean)` do: write x - mean, which makes a new one."""

    def _normalize(self, x, mean, var):
        return x.sub_(per_channel(mean)).div_(torch.sqrt(per_channel(var) + self.eps))
