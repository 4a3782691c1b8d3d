"""JAX: `scan`, one compiled loop over the samples, and `vmap`, the same over all seeds at once."""

import sys

import jax
import jax.numpy as jnp

import worker


class Scan:
    n_seeds = 1

    def __init__(self, inputs):
        self.inputs = inputs
        self.beta = float(inputs.beta)

    def softplus(self, z):
        return jax.nn.softplus(self.beta * z) / self.beta

    def step(self, theta, weights, sample):
        x, onehot = sample
        y, slopes = [x], []
        for w in weights[:-1]:
            z = w @ y[-1]
            slopes.append(jax.nn.sigmoid(self.beta * z))
            y.append(self.softplus(z))
        y.append(jax.nn.softmax(weights[-1] @ y[-1]))
        e, changed = y[-1] - onehot, [None] * len(weights)
        for layer in range(len(weights), 0, -1):
            w, post, pre = weights[layer - 1], y[layer], y[layer - 1]
            change = -theta["gradient"] * jnp.outer(e, pre)
            if theta["oja"]:
                change += theta["oja"] * jnp.outer(post, pre - w.T @ post)
            if layer > 1:
                e = (w.T @ e) * slopes[layer - 2]
            changed[layer - 1] = w + change
        return changed, None

    def start(self, network):
        x, labels = self.inputs.training(0)
        weights = [jnp.asarray(w[0]) for w in self.inputs.weights(network, "initial")]
        return weights, (jnp.asarray(x), jax.nn.one_hot(labels, 10))

    def loop(self, theta):
        return lambda weights, samples: jax.lax.scan(lambda w, s: self.step(theta, w, s), weights, samples)[0]

    def training(self, network, rule):
        weights, samples = self.start(network)
        train = jax.jit(self.loop(self.inputs.rules[rule]))
        return lambda: jax.block_until_ready(train(weights, samples))

    def evaluation(self, network):
        weights = [jnp.asarray(w[0]) for w in self.inputs.weights(network, worker.EVALUATED)]
        x, labels = map(jnp.asarray, worker.images("t10k"))

        @jax.jit
        def evaluate(weights, x, labels):
            y = x
            for w in weights[:-1]:
                y = self.softplus(y @ w.T)
            logits = y @ weights[-1].T
            losses = -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1)
            return (logits.argmax(1) == labels).mean(), losses.mean()

        return lambda: jax.block_until_ready(evaluate(weights, x, labels))


class Vmap(Scan):
    def __init__(self, inputs):
        super().__init__(inputs)
        self.n_seeds = inputs.seeds

    def start(self, network):
        images, onehots = [], []
        for seed in range(self.n_seeds):
            x, labels = self.inputs.training(seed)
            images.append(x)
            onehots.append(jax.nn.one_hot(labels, 10))
        weights = [jnp.asarray(w) for w in self.inputs.weights(network, "initial", self.n_seeds)]
        return weights, (jnp.stack(images), jnp.stack(onehots))

    def loop(self, theta):
        return jax.vmap(super().loop(theta))


if __name__ == "__main__":
    variant, folder = sys.argv[1:]
    peer = {"scan": Scan, "vmap": Vmap}[variant]
    worker.serve(f"JAX {jax.__version__}", peer(worker.Inputs(folder)))
