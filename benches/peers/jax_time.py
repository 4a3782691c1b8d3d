"""The recurrent network in JAX: one sample of backpropagation through time, written out, and an evaluation.

Written out rather than left to `jax.grad`: the sums over time are products of whole matrices, and nothing is kept that the
equations do not need.
"""

from functools import partial

import jax
import jax.numpy as jnp


def hidden_states(weights, drive, n_steps, n_shown, unroll):
    """z_1 … z_T, one row a step; `drive` is W_x x, for one image or a batch."""
    _, recurrent, _ = weights
    shown = (jnp.arange(1, n_steps) < n_shown).astype(drive.dtype)

    def forward(z, shown):
        z = jnp.tanh(z) @ recurrent.T + shown * drive
        return z, z

    _, later = jax.lax.scan(forward, drive, shown, unroll=unroll)
    return jnp.concatenate([drive[None], later])


def step(setting, unroll, theta, weights, sample):
    n_steps, n_shown = setting["time_steps"], setting["image_steps"]
    given, recurrent, readout = weights
    x, onehot = sample
    z = hidden_states(weights, given @ x, n_steps, n_shown, unroll)
    h = jnp.tanh(z)
    error = jax.nn.softmax(readout @ h[-1]) - onehot

    def backward(e, slope):
        e = (e @ recurrent) * slope
        return e, e

    slopes = 1 - h * h
    last = (error @ readout) * slopes[-1]
    _, earlier = jax.lax.scan(backward, last, slopes[:-1], reverse=True, unroll=unroll)
    e = jnp.concatenate([earlier, last[None]])
    change = -theta["gradient"] * (e[1:].T @ h[:-1])
    if theta.get("oja"):
        v = h[:-1] @ recurrent.T
        change += theta["oja"] * (v.T @ (z[:-1] - v @ recurrent))
    moved = [
        given - jnp.outer(theta["gradient"] * e[:n_shown].sum(0), x),
        recurrent + change,
        readout - jnp.outer(theta["gradient"] * error, h[-1]),
    ]
    return moved, None


def trained(setting, unroll, theta, weights, samples):
    return jax.lax.scan(partial(step, setting, unroll, theta), weights, samples)[0]


def scores(setting, weights, x, labels):
    """Accuracy and mean cross-entropy of a batch; only the last hidden state is kept."""
    given, recurrent, readout = weights
    drive = x @ given.T

    def forward(t, z):
        return jnp.tanh(z) @ recurrent.T + jnp.where(t < setting["image_steps"], drive, 0)

    z = jax.lax.fori_loop(1, setting["time_steps"], forward, drive)
    found = jnp.tanh(z) @ readout.T
    losses = -jnp.take_along_axis(jax.nn.log_softmax(found), labels[:, None], axis=1)
    return (found.argmax(1) == labels).mean(), losses.mean()
