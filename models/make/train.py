"""What a model is made from, and the one training loop they share."""

import time
from dataclasses import dataclass
from typing import Callable

import jax
import numpy as np
import optax

from jax_ops import JaxOps


@dataclass(frozen=True)
class Recipe:
    name: str
    special: str          # what a reader of the table should know about it
    input_shape: tuple    # without the batch
    outputs: dict         # name -> dims without the batch; order of forward()'s results
    forward: Callable     # (ops, x) -> tuple, beginning with the outputs
    loss: Callable        # (forward's tuple, *targets) -> scalar
    epoch: Callable       # (numpy rng) -> (x, tuple of targets), one epoch of training data
    stored: Callable      # (split) -> (x, {"labels": ..., further ground truth by name})
    epochs: int
    learning_rate: float = 4e-3
    weight_decay: float = 1e-3
    batch: int = 64
    seed: int = 1


def cross_entropy(results, labels):
    return optax.softmax_cross_entropy_with_integer_labels(results[0], labels).mean()


def train(recipe):
    """(params, stats): trained parameters and the BNs' running averages."""
    rng = np.random.default_rng(recipe.seed)
    x, _ = recipe.epoch(rng)
    init = JaxOps({}, {}, train=True, rng=rng)
    recipe.forward(init, x[:2])
    params, stats = init.params, init.new_stats

    steps = recipe.epochs * (len(x) // recipe.batch)
    warm_up = steps // 20
    schedule = optax.warmup_cosine_decay_schedule(0.0, recipe.learning_rate, warm_up, steps)
    # Decay spares vectors: biases and BN scales would only be pulled towards a dead channel.
    decayed = {name: value.ndim > 1 for name, value in params.items()}
    optimizer = optax.chain(optax.clip_by_global_norm(5.0),
                            optax.adamw(schedule, weight_decay=recipe.weight_decay, mask=decayed))

    def objective(params, stats, x, targets):
        ops = JaxOps(params, stats, train=True)
        loss = recipe.loss(recipe.forward(ops, x), *targets)
        return loss, ops.new_stats

    @jax.jit
    def step(params, stats, state, x, targets):
        gradient = jax.value_and_grad(objective, has_aux=True)
        (loss, stats), grads = gradient(params, stats, x, targets)
        updates, state = optimizer.update(grads, state, params)
        return optax.apply_updates(params, updates), stats, state, loss

    state, started = optimizer.init(params), time.monotonic()
    for epoch in range(recipe.epochs):
        x, targets = recipe.epoch(rng)
        losses = []
        for begin in range(0, len(x) - recipe.batch + 1, recipe.batch):
            part = slice(begin, begin + recipe.batch)
            params, stats, state, loss = step(params, stats, state, x[part],
                                              tuple(t[part] for t in targets))
            losses.append(loss)
        if epoch % 10 == 9 or epoch + 1 == recipe.epochs:
            print(f"  epoch {epoch + 1}/{recipe.epochs}: loss {np.mean(losses):.4f}, "
                  f"{time.monotonic() - started:.0f} s", flush=True)
    return params, stats
