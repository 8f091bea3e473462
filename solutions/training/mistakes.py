"""Known mistakes of `training`."""

import copy

import numpy as np
import torch
import torch.nn.functional as F
from reference import BATCH_NORMS
from reference import _replace_head as replace_head
from reference import _rest_batchnorm as rest_batchnorm
from reference import accuracy as right_accuracy
from reference import fine_tune as right_fine_tune
from reference import train_step as right_step
from torch import nn

from grader.mistakes import mistake

NOTHING_TRAINS = "Nothing trains, so that neither a step nor the first capstone can be judged."
HEAD_NEVER_TRAINS = (
    "The head never trains, so that neither the losses, nor the modes, nor the second capstone can be judged."
)
TYPE_ONLY = "The value is right: its type costs the one check of types, and no other."

# --- train_step


@mistake("train_step")
def no_zero_grad(model, x, y, optimizer):
    """The gradients of earlier steps count too: they add up, so call optimizer.zero_grad() before backward()."""
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()


@mistake("train_step")
def zero_grad_after_backward(model, x, y, optimizer):
    """backward() runs, and the step moves nothing: zero_grad() after it wipes out what it has just computed. Clear the gradients before."""
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


@mistake("train_step")
def zero_grad_last(model, x, y, optimizer):
    """Gradients that lay there before the first step still count, and those of this step do not stay: clear them first, before backward()."""
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


@mistake("train_step", outlier=NOTHING_TRAINS)
def step_before_backward(model, x, y, optimizer):
    """step() comes before backward(), when there are no gradients yet: backward() first."""
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    optimizer.step()
    loss.backward()
    return loss.item()


@mistake("train_step", outlier=NOTHING_TRAINS)
def no_step(model, x, y, optimizer):
    """backward() only computes gradients: optimizer.step(), with its parentheses, moves the weights, and it did not run."""
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    return loss.item()


@mistake("train_step", outlier=NOTHING_TRAINS)
def no_backward(model, x, y, optimizer):
    """The backward pass did not run, so there is no gradient to step along: call loss.backward(), with its parentheses."""
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    optimizer.step()
    return loss.item()


@mistake("train_step")
def softmax_before_loss(model, x, y, optimizer):
    """The loss is the cross-entropy of probabilities: it applies log-softmax itself, so give it the logits, without a softmax of your own."""
    optimizer.zero_grad()
    loss = F.cross_entropy(F.softmax(model(x), dim=1), y)
    loss.backward()
    optimizer.step()
    return loss.item()


@mistake("train_step")
def nll_of_logits(model, x, y, optimizer):
    """The loss is that of nll_loss on logits, where it expects log-probabilities: cross_entropy does both."""
    optimizer.zero_grad()
    loss = F.nll_loss(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()


@mistake("train_step")
def summed_loss(model, x, y, optimizer):
    """The loss is the sum over the batch: take the mean, or the step grows with the batch."""
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y, reduction="sum")
    loss.backward()
    optimizer.step()
    return loss.item()


@mistake("train_step")
def squared_error(model, x, y, optimizer):
    """This is the squared error to one-hot labels: classes call for cross-entropy."""
    optimizer.zero_grad()
    logits = model(x)
    loss = F.mse_loss(logits, F.one_hot(y, logits.shape[1]).float())
    loss.backward()
    optimizer.step()
    return loss.item()


@mistake("train_step")
def loss_as_tensor(model, x, y, optimizer):
    """You return the loss as a tensor, which keeps the graph of its batch in memory: return loss.item()."""
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return loss


@mistake("train_step")
def returns_nothing(model, x, y, optimizer):
    """The step is right, but nothing comes back: return loss.item()."""
    right_step(model, x, y, optimizer)


@mistake("train_step")
def loss_after_the_step(model, x, y, optimizer):
    """The loss is that after the step, of a second forward pass: return the one that you have already computed."""
    right_step(model, x, y, optimizer)
    with torch.no_grad():
        return F.cross_entropy(model(x), y).item()


@mistake("train_step")
def summed_over_the_batch_afterwards(model, x, y, optimizer):
    """The step is right, but you return the loss times the size of the batch: return the mean."""
    return right_step(model, x, y, optimizer) * len(x)


# Costs 40 %: neither the rate, nor the momentum, nor the call of the given optimizer is right, and LeNet learns too slowly.
@mistake("train_step")
def own_optimizer(model, x, y, optimizer):
    """The step does not depend on the learning rate and the momentum of the optimizer that was given: use it, and make none."""
    return right_step(model, x, y, torch.optim.SGD(model.parameters(), lr=0.01))


@mistake("train_step")
def steps_twice(model, x, y, optimizer):
    """optimizer.step() runs twice for one backward(): once is a step."""
    loss = right_step(model, x, y, optimizer)
    optimizer.step()
    return loss


@mistake("train_step")
def clips_gradients(model, x, y, optimizer):
    """The gradients are clipped to a norm of 0.1, which the exercise does not ask for: step along them as they are."""
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 0.1)
    optimizer.step()
    return loss.item()


@mistake("train_step")
def switches_to_training(model, x, y, optimizer):
    """Layers in evaluation mode are put back into training mode: leave the modes to the caller."""
    model.train()
    return right_step(model, x, y, optimizer)


@mistake("train_step")
def switches_to_evaluation(model, x, y, optimizer):
    """The model trains in evaluation mode, where BatchNorm does not learn: leave the modes to the caller."""
    model.eval()
    return right_step(model, x, y, optimizer)


# Raises in every step, so nothing of a step or of the capstone can be judged.
@mistake("train_step", outlier=NOTHING_TRAINS)
def without_a_graph(model, x, y, optimizer):
    """The loss has no graph to go back through, as under torch.no_grad(): that is for measuring, not for training."""
    optimizer.zero_grad()
    with torch.no_grad():
        loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()


@mistake("train_step")
def clips_to_one(model, x, y, optimizer):
    """The gradients are clipped to a norm of 1, which the exercise does not ask for: step along them as they are."""
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


@mistake("train_step")
def thaws_the_model(model, x, y, optimizer):
    """What was frozen trains again: the step leaves requires_grad as it is."""
    loss = right_step(model, x, y, optimizer)
    model.requires_grad_(True)
    return loss


# --- accuracy


def hits(model, x, y, dim=1):
    """Return which images are right, and leave the model as it was."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    with torch.no_grad():
        logits = model(x)
    for module, mode in modes.items():
        module.training = mode
    return logits.argmax(dim=dim) == y


@mistake("accuracy")
def counts_hits(model, x, y):
    """That is how many are right: divide by how many there are."""
    return hits(model, x, y).sum().item()


@mistake("accuracy")
def percent(model, x, y):
    """That is in percent: return a fraction from 0 to 1."""
    return 100 * right_accuracy(model, x, y)


@mistake("accuracy")
def error_rate(model, x, y):
    """That is the fraction of wrong ones: count those with argmax equal to y."""
    return 1 - right_accuracy(model, x, y)


@mistake("accuracy")
def rounded_down(model, x, y):
    """Everything short of perfect becomes 0, as `//` and int() round down: divide with `/`."""
    return float(hits(model, x, y).sum().item() // len(y))


@mistake("accuracy")
def divided_by_classes(model, x, y):
    """That is the number of right ones divided by 4, which is the number of classes: divide by the number of images, len(y)."""
    return hits(model, x, y).sum().item() / 4


@mistake("accuracy")
def argmax_over_the_batch(model, x, y):
    """The best image is looked for in each class: argmax over dim 1 says which class is best for each image."""
    return hits(model, x, y, dim=0).float().mean().item()


@mistake("accuracy")
def highest_logit(model, x, y):
    """The highest logit is compared with the class: its place is the class, which argmax gives."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    with torch.no_grad():
        best = model(x).amax(dim=1)
    for module, mode in modes.items():
        module.training = mode
    return (best == y).float().mean().item()


@mistake("accuracy", outlier=TYPE_ONLY)
def as_a_tensor(model, x, y):
    """The number is right, and a tensor: .item() makes a Python float of it."""
    return hits(model, x, y).float().mean()


@mistake("accuracy")
def in_training_mode(model, x, y):
    """The model runs in training mode: BatchNorm uses the batch, and even learns from it. Call model.eval() first, with its parentheses."""
    with torch.no_grad():
        return (model(x).argmax(dim=1) == y).float().mean().item()


@mistake("accuracy")
def stays_in_evaluation(model, x, y):
    """The model is left in evaluation mode, and training goes on without BatchNorm learning: give the mode back."""
    result = right_accuracy(model, x, y)
    model.eval()
    return result


@mistake("accuracy")
def always_back_to_training(model, x, y):
    """The model ends in training mode, whatever its mode was before: note the mode of each module, and restore each."""
    result = right_accuracy(model, x, y)
    model.train()
    return result


@mistake("accuracy")
def one_mode_for_all(model, x, y):
    """All layers end in the mode of the model, also one that was frozen in eval: note the mode of each, and restore each."""
    training = model.training
    result = right_accuracy(model, x, y)
    model.train(training)
    return result


@mistake("accuracy")
def with_gradients(model, x, y):
    """The number is right, but autograd records the whole pass: run the model under torch.no_grad()."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    logits = model(x)
    for module, mode in modes.items():
        module.training = mode
    return (logits.argmax(dim=1) == y).float().mean().item()


@mistake("accuracy", outlier=TYPE_ONLY)
def number_of_numpy(model, x, y):
    """The number is right, and one of numpy, as np.mean makes it: float(...) makes a Python float of it."""
    return np.float64(right_accuracy(model, x, y))


@mistake("accuracy")
def thaws_after_measuring(model, x, y):
    """What was frozen trains afterwards: torch.no_grad() around the call needs no change of requires_grad."""
    result = right_accuracy(model, x, y)
    model.requires_grad_(True)
    return result


# --- fine_tune


def epochs_of(model, x, y, optimizer, epochs, batch_size, start_epoch, step=right_step):
    """Train as the reference does, with `start_epoch` at the beginning of each epoch."""
    losses = []
    for epoch in range(epochs):
        start_epoch(model, epoch)
        total = 0.0
        for start in range(0, len(x), batch_size):
            images, labels = x[start : start + batch_size], y[start : start + batch_size]
            total += step(model, images, labels, optimizer) * len(images)
        losses.append(total / len(x))
    return losses


def begin(model, _epoch=0):
    """Begin an epoch as the reference does."""
    model.train()
    rest_batchnorm(model)


def sgd(model, lr, **options):
    """Return SGD over what is trainable."""
    return torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=lr, **options)


@mistake("fine_tune")
def body_not_frozen(model, x, y, num_classes, epochs=5, lr=0.1, batch_size=32):
    """The body trains with the head: freeze all parameters before you put the new head in."""
    replace_head(model, num_classes)
    return epochs_of(model, x, y, sgd(model, lr), epochs, batch_size, begin)


@mistake("fine_tune", outlier=HEAD_NEVER_TRAINS)
def head_frozen_too(model, x, y, num_classes, epochs=5, lr=0.1, batch_size=32):
    """The new head does not move, as where all is frozen after it is in: freeze first, replace second."""
    replace_head(model, num_classes)
    model.requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    return epochs_of(model, x, y, optimizer, epochs, batch_size, begin)


@mistake("fine_tune", outlier=HEAD_NEVER_TRAINS)
def nothing_to_train(model, x, y, num_classes, epochs=5, lr=0.1, batch_size=32):
    """The optimizer finds nothing to train, as where the new head is frozen too: freeze first, replace second."""
    replace_head(model, num_classes)
    model.requires_grad_(False)
    return epochs_of(model, x, y, sgd(model, lr), epochs, batch_size, begin)


@mistake("fine_tune")
def optimizer_before_head(model, x, y, num_classes, epochs=5, lr=0.1, batch_size=32):
    """The new head does not move, as where the optimizer was made before it and holds the old one: make the optimizer last."""
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    model.requires_grad_(False)
    replace_head(model, num_classes)
    return epochs_of(model, x, y, optimizer, epochs, batch_size, begin)


@mistake("fine_tune")
def old_head(model, x, y, num_classes, epochs=5, lr=0.1, batch_size=32):
    """The old head is trained, with the old number of classes: put a new nn.Linear in its place."""
    model.requires_grad_(False)
    [part for part in model.modules() if isinstance(part, nn.Linear)][-1].requires_grad_(True)
    return epochs_of(model, x, y, sgd(model, lr), epochs, batch_size, begin)


@mistake("fine_tune")
def classes_from_the_labels(model, x, y, num_classes, epochs=5, lr=0.1, batch_size=32):
    """The head has as many outputs as there are classes in y, and one may be missing there: use num_classes."""
    return right_fine_tune(model, x, y, int(y.max()) + 1, epochs, lr, batch_size)


@mistake("fine_tune")
def statistics_move(model, x, y, num_classes, epochs=5, lr=0.1, batch_size=32):
    """Running statistics are no parameters, and move in training mode: put frozen BatchNorm layers into evaluation mode."""
    model.requires_grad_(False)
    replace_head(model, num_classes)
    return epochs_of(model, x, y, sgd(model, lr), epochs, batch_size, lambda m, _: m.train())


@mistake("fine_tune")
def train_undoes_eval(model, x, y, num_classes, epochs=5, lr=0.1, batch_size=32):
    """Running statistics stand still in the first epoch, and move in later ones: model.train() puts BatchNorm back into training mode, so call eval() on it after each."""
    model.requires_grad_(False)
    replace_head(model, num_classes)

    def start(model, epoch):
        model.train()
        if epoch == 0:
            rest_batchnorm(model)

    return epochs_of(model, x, y, sgd(model, lr), epochs, batch_size, start)


@mistake("fine_tune")
def whole_model_at_rest(model, x, y, num_classes, epochs=5, lr=0.1, batch_size=32):
    """The whole model trains in evaluation mode, where dropout does nothing: put only frozen BatchNorm layers into it."""
    model.requires_grad_(False)
    replace_head(model, num_classes)
    return epochs_of(model, x, y, sgd(model, lr), epochs, batch_size, lambda m, _: m.eval())


@mistake("fine_tune")
def mode_left_as_it_came(model, x, y, num_classes, epochs=5, lr=0.1, batch_size=32):
    """The model came in evaluation mode and trains in it: every epoch begins with model.train()."""
    model.requires_grad_(False)
    replace_head(model, num_classes)

    def start(model, _epoch):
        for module in model.modules():
            if isinstance(module, BATCH_NORMS):
                module.eval()

    return epochs_of(model, x, y, sgd(model, lr), epochs, batch_size, start)


@mistake("fine_tune")
def a_copy(model, x, y, num_classes, epochs=5, lr=0.1, batch_size=32):
    """The model that was given stays as it was, as where a copy is trained: change it in place."""
    return right_fine_tune(copy.deepcopy(model), x, y, num_classes, epochs, lr, batch_size)


@mistake("fine_tune")
def new_head_each_epoch(model, x, y, num_classes, epochs=5, lr=0.1, batch_size=32):
    """Every epoch begins with a fresh head and forgets the last: replace it once, before the loop."""
    replace_head(model, num_classes)
    losses = []
    for _ in range(epochs):
        losses += right_fine_tune(model, x, y, num_classes, 1, lr, batch_size)
    return losses


@mistake("fine_tune")
def drops_the_last_batch(model, x, y, num_classes, epochs=5, lr=0.1, batch_size=32):
    """The last batch is left out where it is not full: a slice that reaches beyond the end is simply shorter."""
    full = max(len(x) // batch_size, 1) * batch_size
    return right_fine_tune(model, x[:full], y[:full], num_classes, epochs, lr, batch_size)


def with_losses(model, x, y, num_classes, epochs, lr, batch_size, summary):
    """Fine-tune, and return `summary` of the losses and sizes of the batches of each epoch."""
    model.requires_grad_(False)
    replace_head(model, num_classes)
    optimizer, results = sgd(model, lr), []
    for _ in range(epochs):
        begin(model)
        each = []
        for start in range(0, len(x), batch_size):
            images, labels = x[start : start + batch_size], y[start : start + batch_size]
            each.append((right_step(model, images, labels, optimizer), len(images)))
        results.append(summary(each))
    return results


@mistake("fine_tune")
def mean_over_batches(model, x, y, num_classes, epochs=5, lr=0.1, batch_size=32):
    """The mean is taken over batches, and a small one counts as much as a full one: weigh each loss with its number of images."""
    return with_losses(
        model,
        x,
        y,
        num_classes,
        epochs,
        lr,
        batch_size,
        lambda each: sum(loss for loss, _ in each) / len(each),
    )


@mistake("fine_tune")
def last_loss_of_the_epoch(model, x, y, num_classes, epochs=5, lr=0.1, batch_size=32):
    """This is the loss of the last batch of each epoch: return the mean over all images."""
    return with_losses(model, x, y, num_classes, epochs, lr, batch_size, lambda each: each[-1][0])


@mistake("fine_tune")
def sum_of_the_epoch(model, x, y, num_classes, epochs=5, lr=0.1, batch_size=32):
    """This is the sum of the losses of an epoch: divide by the number of images."""
    return with_losses(
        model, x, y, num_classes, epochs, lr, batch_size, lambda each: sum(loss * n for loss, n in each)
    )


@mistake("fine_tune")
def every_batch(model, x, y, num_classes, epochs=5, lr=0.1, batch_size=32):
    """This is the loss of every batch: one number for each epoch is asked for."""
    each = with_losses(
        model, x, y, num_classes, epochs, lr, batch_size, lambda each: [loss for loss, _ in each]
    )
    return [loss for epoch in each for loss in epoch]


@mistake("fine_tune")
def all_in_one_batch(model, x, y, num_classes, epochs=5, lr=0.1, batch_size=32):
    """There is one step in each epoch, whatever batch_size is: go through x batch by batch, with a step after each."""
    return right_fine_tune(model, x, y, num_classes, epochs, lr, len(x))


@mistake("fine_tune")
def one_epoch(model, x, y, num_classes, epochs=5, lr=0.1, batch_size=32):
    """There is one epoch, however many are asked for: go through x `epochs` times."""
    return right_fine_tune(model, x, y, num_classes, min(epochs, 1), lr, batch_size)


@mistake("fine_tune")
def fixed_rate(model, x, y, num_classes, epochs=5, lr=0.1, batch_size=32):
    """The steps do not depend on `lr`: hand it over as the learning rate."""
    return right_fine_tune(model, x, y, num_classes, epochs, 0.01, batch_size)


@mistake("fine_tune")
def with_momentum(model, x, y, num_classes, epochs=5, lr=0.1, batch_size=32):
    """The steps are those with momentum: plain SGD has none."""
    model.requires_grad_(False)
    replace_head(model, num_classes)
    return epochs_of(model, x, y, sgd(model, lr, momentum=0.9), epochs, batch_size, begin)


@mistake("fine_tune")
def returns_the_model(model, x, y, num_classes, epochs=5, lr=0.1, batch_size=32):
    """The model comes back, which is changed in place anyway: return the list of losses."""
    right_fine_tune(model, x, y, num_classes, epochs, lr, batch_size)
    return model


@mistake("fine_tune")
def with_weight_decay(model, x, y, num_classes, epochs=5, lr=0.1, batch_size=32):
    """The steps are those with a weight decay of 1e-4: plain SGD has none."""
    model.requires_grad_(False)
    replace_head(model, num_classes)
    return epochs_of(model, x, y, sgd(model, lr, weight_decay=1e-4), epochs, batch_size, begin)


@mistake("fine_tune")
def thawed_at_the_end(model, x, y, num_classes, epochs=5, lr=0.1, batch_size=32):
    """Training is right, and afterwards the body is no longer frozen: leave it frozen."""
    losses = right_fine_tune(model, x, y, num_classes, epochs, lr, batch_size)
    model.requires_grad_(True)
    return losses


@mistake("fine_tune")
def losses_as_tensors(model, x, y, num_classes, epochs=5, lr=0.1, batch_size=32):
    """The losses are right, and tensors: .item() makes a Python float of each."""
    return [
        torch.tensor(loss, dtype=torch.float64)
        for loss in right_fine_tune(model, x, y, num_classes, epochs, lr, batch_size)
    ]


@mistake("fine_tune")
def only_two_dimensional_norms(model, x, y, num_classes, epochs=5, lr=0.1, batch_size=32):
    """Only BatchNorm2d is put into evaluation mode: BatchNorm1d and BatchNorm3d keep running statistics too."""
    model.requires_grad_(False)
    replace_head(model, num_classes)

    def start(model, _epoch):
        model.train()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()

    return epochs_of(model, x, y, sgd(model, lr), epochs, batch_size, start)
