"""An episode of meta-learning in JAX: the exact gradient of the query loss through all steps of the inner loop."""

from functools import partial

import jax
import jax.numpy as jnp
from jax_chain import InputRows, scores, step

# Steps between two checkpoints: within, they are computed again on the way back. Keeping the weights of all 250 steps takes
# longer than making them a second time.
INTERVAL = 25


def query_loss(layout, beta, theta, state, learned, asked):
    """Mean cross-entropy of the questions after the inner loop, and accuracy."""
    in_parts = jax.tree.map(lambda a: a.reshape(-1, INTERVAL, *a.shape[1:]), learned)

    @partial(jax.checkpoint, prevent_cse=False)
    def part(state, samples):
        return jax.lax.scan(partial(step, layout, beta, theta), state, samples)

    forward, _ = jax.lax.scan(part, state, in_parts)[0]
    if layout is not InputRows:
        forward = [w.T for w in forward]
    accuracy, loss = scores(beta, forward, *asked)
    return loss, accuracy


def episode(layout, beta, theta, state, learned, asked):
    """Loss, accuracy and dL/dθ by term."""
    differentiated = jax.value_and_grad(partial(query_loss, layout, beta), has_aux=True)
    (loss, accuracy), gradient = differentiated(theta, state, learned, asked)
    return loss, accuracy, gradient


def arrays(layout, feedback, tasks):
    """What the episodes of `Inputs.tasks` start from, as the functions above take it, episodes first."""
    (x, labels), (asked, answers), (forward, backward) = tasks
    state = layout.arrays(forward, backward if feedback != "symmetric" else [])
    learned = (jnp.asarray(x), jax.nn.one_hot(labels, 10))
    return state, learned, (jnp.asarray(asked), jnp.asarray(answers))
