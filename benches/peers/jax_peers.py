"""JAX: `scan`, one compiled loop over the samples, and `vmap`, the same over all seeds at once."""

import sys
from functools import partial

import jax
import jax.numpy as jnp
import jax_chain
import jax_experiments
import jax_meta
import jax_time
import numpy as np
import worker


class Peer:
    """`layout` and how many samples of a chain a turn of the loop takes; `seeds` at once."""

    def __init__(self, inputs, vmap):
        self.inputs, self.vmap = inputs, vmap
        self.seeds = range(inputs.seeds if vmap else 1)
        self.layout = jax_chain.OutputRows if vmap else jax_chain.InputRows
        self.beta = float(inputs.beta)

    def prepare(self, work):
        kind, *names = work.split("/")
        return getattr(self, kind)(work, *names)

    def for_seeds(self, function, start, samples):
        """`function` of all seeds' arrays, or of the only one's without its axis; and the arrays."""
        if self.vmap:
            return jax.jit(jax.vmap(function)), start, samples
        alone = partial(jax.tree.map, lambda array: array[0])
        return jax.jit(function), alone(start), alone(samples)

    def with_seeds(self, state):
        return state if self.vmap else jax.tree.map(lambda array: array[None], state)

    def online(self, work, network, _):
        feedback, theta = self.inputs.rule(work)
        x, labels = self.inputs.training(self.seeds, self.inputs.setting["online"]["steps"])
        loop = partial(jax_chain.trained, self.layout, self.beta, theta, unroll=4)
        start = self.layout.arrays(*self.inputs.start(network, feedback, self.seeds))
        train, *arrays = self.for_seeds(loop, start, (jnp.asarray(x), jax.nn.one_hot(labels, 10)))

        def numbers(state):
            return worker.flat(jax_chain.published(self.layout, self.with_seeds(state)))

        return lambda: jax.block_until_ready(train(*arrays)), numbers

    def evaluation(self, _, network):
        x, labels = map(jnp.asarray, worker.images("t10k"))
        if network == "recurrent":
            ends = self.inputs.file(f"recurrent/{worker.EVALUATED_IN_TIME}")
            found = self.inputs.matrices(ends, self.inputs.recurrent_shapes(), [0])
            weights, size = [jnp.asarray(w[0]) for w in found], 250
            scores = partial(jax_time.scores, self.inputs.setting["recurrent"])
        else:
            ends = self.inputs.file(f"online/{network}/{worker.EVALUATED}")
            found = self.inputs.matrices(ends, self.inputs.forward_shapes(network), [0])
            weights, size = jax_chain.InputRows.arrays([w[0] for w in found], [])[0], 500
            scores = partial(jax_chain.scores, self.beta)
        evaluate = jax.jit(lambda weights, *test: jax_chain.in_blocks(size, partial(scores, weights), *test))
        return lambda: jax.block_until_ready(evaluate(weights, x, labels)), np.asarray

    def recurrent(self, _, rule):
        setting = self.inputs.setting["recurrent"]
        x, labels = self.inputs.training(self.seeds, setting["steps"])
        loop = partial(jax_time.trained, setting, 1, setting["rules"][rule])
        start = self.inputs.matrices(self.inputs.file("recurrent"), self.inputs.recurrent_shapes(), self.seeds)
        samples = jnp.asarray(x), jax.nn.one_hot(labels, 10)
        train, *arrays = self.for_seeds(loop, [jnp.asarray(w) for w in start], samples)
        return lambda: jax.block_until_ready(train(*arrays)), lambda state: worker.flat(self.with_seeds(state))

    def episode(self, work, _):
        """Under `vmap` all episodes at once, else one after the other."""
        feedback, theta = self.inputs.rule(work)
        theta = {term: jnp.float32(theta[term]) for term in sorted(theta)}
        n = self.inputs.setting["episode"]["episodes"]
        arrays = jax_meta.arrays(self.layout, feedback, self.inputs.tasks(n))
        episode = partial(jax_meta.episode, self.layout, self.beta, theta)
        if self.vmap:
            run = jax.jit(jax.vmap(episode))
            return lambda: [jax.block_until_ready(run(*arrays))], self.of_episodes
        run, each = jax.jit(episode), [jax.tree.map(lambda array: array[k], arrays) for k in range(n)]
        return lambda: [jax.block_until_ready(run(*one)) for one in each], self.of_episodes

    @staticmethod
    def of_episodes(found):
        """For each episode loss, accuracy and the gradient by term."""
        columns = [np.atleast_1d(np.asarray(c)) for c in zip(*(jax.tree.leaves(one) for one in found))]
        return np.stack([column.reshape(-1) for column in columns], axis=1)


if __name__ == "__main__":
    folder, variant, *share = sys.argv[1:]
    inputs = worker.Inputs(folder)
    if share:
        prepare = jax_experiments.Peer(inputs, variant == "vmap", *map(int, share)).prepare
    else:
        prepare = Peer(inputs, variant == "vmap").prepare
    worker.serve(f"JAX {jax.__version__}", prepare)
