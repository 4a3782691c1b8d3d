"""Whole experiments in JAX, this process's share of them: some of the seeds of a figure, or one rule's episodes.

All is compiled before it is run, so that compiling is timed apart.
"""

from functools import partial

import jax
import jax.numpy as jnp
import jax_chain
import jax_meta
import jax_time
import numpy as np
import worker


class Peer:
    def __init__(self, inputs, vmap, index, n_processes):
        self.inputs, self.vmap, self.index, self.n_processes = inputs, vmap, index, n_processes
        self.experiments = inputs.setting["experiments"]
        self.beta = float(inputs.beta)

    def prepare(self, work):
        kind, n_seeds = work.split("/")
        # Seeds that follow each other, so that the processes' numbers only have to be put one after the other.
        self.seeds = np.array_split(np.arange(int(n_seeds)), self.n_processes)[self.index]
        return {"figure-1": self.figure_1, "figure-7": self.figure_7, "episodes": self.episodes}[kind]()

    def curves(self, train, accuracy, start):
        """A function that returns accuracies, seeds × evaluations. `train` takes the weights of a seed and some samples,
        `accuracy` the weights of a seed.
        """
        samples, every = self.experiments["samples"], self.experiments["every"]
        x, labels = self.inputs.training(self.seeds, samples)
        n_parts = samples // every
        x, labels = x.reshape(-1, n_parts, every, x.shape[-1]), labels.reshape(-1, n_parts, every)

        def advance(state, x, labels):
            return train(state, (x, jax.nn.one_hot(labels, 10)))

        if self.vmap:
            groups, advance = [self.seeds - self.seeds[0]], jax.vmap(advance)
            # Evaluations one after the other: a batch of 10,000 images is large enough by itself.
            evaluate = lambda state, *test: jax.lax.map(lambda one: accuracy(one, *test), state)
        else:
            groups, evaluate = list(range(len(self.seeds))), accuracy
        test = tuple(map(jnp.asarray, worker.images("t10k")))
        chosen = [jax.tree.map(lambda array: jnp.asarray(array)[group], start) for group in groups]
        # One array a part, so that no copy is made while the clock runs.
        images = [
            [(jnp.asarray(x[group][..., k, :, :]), jnp.asarray(labels[group][..., k, :])) for k in range(n_parts)]
            for group in groups
        ]
        advance = jax.jit(advance).lower(chosen[0], *images[0][0]).compile()
        evaluate = jax.jit(evaluate).lower(chosen[0], *test).compile()

        def run():
            found = []
            for state, parts in zip(chosen, images):
                curve = [evaluate(state, *test)]
                for part in parts:
                    state = advance(state, *part)
                    curve.append(evaluate(state, *test))
                found.append(np.stack(curve, axis=-1))
            return np.concatenate([np.atleast_2d(curve) for curve in found])

        return run

    def figure_1(self):
        runs = []
        # Without vmap the forward pass of an evaluation shares the weights' layout; with it the weights are turned.
        layout = jax_chain.OutputRows if self.vmap else jax_chain.InputRows
        for network in sorted(self.inputs.networks):
            start = layout.arrays(*self.inputs.start(network, "symmetric", self.seeds))
            for rule in ("bp", "bp_oja"):
                theta = self.inputs.tuned()[network][rule]
                train = partial(jax_chain.trained, layout, self.beta, theta, unroll=4)

                def accuracy(state, *test):
                    forward = [w.T for w in state[0]] if self.vmap else state[0]
                    return jax_chain.in_blocks(500, partial(jax_chain.scores, self.beta, forward), *test)[0]

                runs.append(self.curves(train, accuracy, start))
        return lambda: [run() for run in runs], np.stack

    def figure_7(self):
        setting, runs = self.inputs.setting["recurrent"], []
        start = self.inputs.matrices(self.inputs.file("recurrent"), self.inputs.recurrent_shapes(), self.seeds)
        for rule in ("bptt", "bptt_oja"):
            train = partial(jax_time.trained, setting, 1, self.inputs.tuned()["rnn"][rule])
            accuracy = lambda weights, *test: jax_chain.in_blocks(250, partial(jax_time.scores, setting, weights), *test)[0]
            runs.append(self.curves(train, accuracy, start))
        return lambda: [run() for run in runs], np.stack

    def episodes(self):
        """Meta-learning by the rule whose turn it is: each episode starts at the coefficients that the one before led to."""
        rules = sorted(self.inputs.setting["episode"]["rules"])
        mine = np.array_split(np.array(rules), self.n_processes)[self.index]
        n = self.experiments["episodes"]
        runs = []
        for rule in mine:
            feedback, theta = self.inputs.rule(f"episode/{rule}")
            arrays = jax_meta.arrays(jax_chain.InputRows, feedback, self.inputs.tasks(n))
            each = [jax.tree.map(lambda array: array[k], arrays) for k in range(n)]
            terms = sorted(theta)
            start = np.array([theta[term] for term in terms])
            episode = jax.jit(partial(jax_meta.episode, jax_chain.InputRows, self.beta))
            as_arrays = lambda values, terms=terms: dict(zip(terms, values.astype(np.float32)))
            episode = episode.lower(as_arrays(start), *each[0]).compile()
            runs.append(partial(self.outer_loop, episode, as_arrays, start, each))
        return lambda: [run() for run in runs], lambda found: np.concatenate([np.ravel(rows) for rows in found])

    def outer_loop(self, episode, as_arrays, start, each):
        """Adam, Kingma & Ba 2015, down gradients that are no longer than 1, in double precision."""
        theta, rate = start.copy(), self.experiments["learning_rate"]
        first, second, found = np.zeros_like(theta), np.zeros_like(theta), []
        for t, arrays in enumerate(each, 1):
            loss, accuracy, gradient = episode(as_arrays(theta), *arrays)
            gradient = np.array([gradient[term] for term in sorted(gradient)], np.float64)
            found.append([float(loss), float(accuracy), *theta])
            gradient /= max(1.0, np.linalg.norm(gradient))
            first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
            theta = theta - rate * (first / (1 - 0.9**t)) / (np.sqrt(second / (1 - 0.999**t)) + 1e-8)
        return found
