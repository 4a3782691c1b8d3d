"""Every way in which errors reach a neuron, in float64 numpy, written from its definition; one sample at a time.

Whole matrices and plain loops, as in network.py, with which only σ and the softmax are shared. e[l] stands for ∂loss/∂z[l].
"""

import functools

import numpy as np
from network import softmax
from streams import Stream


class Normals:
    """The normal numbers of a stream, drawn once."""

    def __init__(self, seed, purpose, layer):
        self.stream, self.drawn = Stream(seed, purpose, layer), []

    def between(self, first, end):
        self.drawn += [self.stream.normal() for _ in range(end - len(self.drawn))]
        return np.array(self.drawn[first:end])


normals = functools.cache(Normals)


class Signals:
    """What the synapses see of one sample: lists by layer, entry 0 for the image. None where a pathway has no such thing."""

    def __init__(self, z, y, label, loss):
        self.z, self.y, self.loss = z, y, loss
        self.e = [None] * len(y)
        self.label = [np.zeros_like(layer) for layer in y]
        self.label[-1][label] = 1
        self.noise, self.loss_change, self.settled = None, None, None


class Learner:
    """A network that learns by `pathway`. `numbers` are those that the pathway was told; W[l] and B[l] as in network.py.

    `theta[l]` has the coefficients of layer l by term; terms are `TERMS` below.
    """

    def __init__(self, weights, feedback, activation, pathway, numbers, loss, theta, seed):
        self.w = [None] + [np.array(w, dtype=np.float64) for w in weights[1:]]
        self.b = feedback and [None] + [np.array(b, dtype=np.float64) for b in feedback[1:]]
        self.activation, self.pathway, self.numbers, self.loss_name = activation, pathway, numbers, loss
        self.theta, self.seed, self.seen = theta, seed, 0
        self.last = len(self.w) - 1
        self.sizes = [self.w[1].shape[1]] + [len(w) for w in self.w[1:]]
        if pathway == "sign_symmetric":
            self.follow_signs()

    # ------------------------------------------------------------------------------------------------- the network

    def answer(self, layer, z):
        """y of a layer; z of one sample, or of many as rows."""
        if layer < self.last:
            return self.activation(z)
        return softmax(z) if self.loss_name == "cross_entropy" else z

    def forward(self, x):
        z, y = [None], [x]
        for layer in range(1, self.last + 1):
            z.append(y[-1] @ self.w[layer].T)
            y.append(self.answer(layer, z[-1]))
        return z, y

    def losses(self, z, labels):
        """Of every row of z_L."""
        if self.loss_name == "squared_error":
            return 0.5 * ((z - np.eye(z.shape[-1])[labels]) ** 2).sum(axis=-1)
        z = z - z.max(axis=-1, keepdims=True)
        return np.log(np.exp(z).sum(axis=-1)) - np.take_along_axis(z, np.asarray(labels)[..., None], -1)[..., 0]

    def predict(self, x):
        """z and y as they are measured: those of the free phase, where there is one."""
        z, y = self.forward(x)
        if self.pathway == "equilibrium_propagation":
            z, y = self.swept(y, self.numbers["steps"])
        return z, y

    def evaluate(self, images, labels):
        z, _ = self.predict(images)
        return float(np.mean(z[-1].argmax(axis=1) == labels)), float(self.losses(z[-1], labels).mean())

    # ------------------------------------------------------------------------------------------------- its errors

    def back(self, layer):
        """What e_l meets on its way to layer l - 1."""
        return self.w[layer].T if self.b is None else self.b[layer]

    def slope(self, layer, z, y):
        """σ′ at layer l; of layer 0 the factor of e_0."""
        return self.activation.slope(z[layer]) if layer else self.activation.slope_of_input(y[0])

    def signals(self, x, label):
        z, y = self.predict(x)
        s = Signals(z, y, label, float(self.losses(z[-1], label)))
        if self.pathway == "broadcast" or any("noisy" in theta for theta in self.theta[1:]):
            s.noise = [None] + [self.noise(layer) for layer in range(1, self.last + 1)]
        s.e[-1] = y[-1] - s.label[-1]
        ways = {
            "direct": self.direct,
            "broadcast": self.broadcast,
            "none": self.none,
            "predictive_coding": self.predictive_coding,
            "equilibrium_propagation": self.equilibrium_propagation,
        }
        ways.get(self.pathway, self.from_layer_to_layer)(s, label)
        return s

    def noise(self, layer):
        """N(0, 1) of this sample: samples take n_l numbers each from the stream of the layer."""
        n = self.sizes[layer]
        return normals(self.seed, "noise", layer).between(n * self.seen, n * (self.seen + 1))

    def from_layer_to_layer(self, s, label):
        for layer in range(self.last - 1, -1, -1):
            s.e[layer] = (self.back(layer + 1) @ s.e[layer + 1]) * self.slope(layer, s.z, s.y)

    def direct(self, s, label):
        for layer in range(self.last - 1, -1, -1):
            s.e[layer] = (self.b[layer + 1] @ s.e[-1]) * self.slope(layer, s.z, s.y)

    def none(self, s, label):
        for layer in range(1, self.last):
            s.e[layer] = np.zeros(self.sizes[layer])

    def broadcast(self, s, label):
        std = self.numbers["std"]
        y = s.y[0]
        for layer in range(1, self.last + 1):
            z = self.w[layer] @ y + std * s.noise[layer]
            y = self.answer(layer, z)
        s.loss_change = float(self.losses(z, label)) - s.loss
        s.e[1:] = [s.loss_change / std**2 * (std * noise) for noise in s.noise[1:]]

    def predictive_coding(self, s, label):
        steps, rate, fixed = (self.numbers[name] for name in ("steps", "rate", "fixed_prediction"))
        v, z, y = list(s.y), s.z, s.y
        for step in range(steps + 1):
            if not fixed:
                z = [None] + [self.w[layer] @ v[layer - 1] for layer in range(1, self.last + 1)]
                y = [None] + [self.answer(layer, z[layer]) for layer in range(1, self.last + 1)]
            off = [None] + [v[layer] - y[layer] for layer in range(1, self.last)]
            for layer in range(1, self.last):
                s.e[layer] = -off[layer] * self.activation.slope(z[layer])
            s.e[-1] = y[-1] - s.label[-1]
            if step == steps:
                break
            for layer in range(1, self.last):
                v[layer] = v[layer] - rate * (off[layer] + self.w[layer + 1].T @ s.e[layer + 1])
        s.e[0] = (self.w[1].T @ s.e[1]) * self.slope(0, s.z, s.y)
        s.settled = v[:-1] + [s.label[-1]]

    def swept(self, y, n_sweeps, beta=0.0, label=None):
        """Sweeps from y: for l = 1 … L - 1 in turn y_l = σ(W y_{l-1} + Wᵀ y_{l+1}), then the output reads.

        z of hidden layers is W y_{l-1} of what has settled. Of one sample, or without a nudge of many as rows.
        """
        y, drive = list(y), y[0] @ self.w[1].T
        for _ in range(n_sweeps):
            for layer in range(1, self.last):
                total = y[layer - 1] @ self.w[layer].T if layer > 1 else drive
                if layer + 1 < self.last:
                    total = total + y[layer + 1] @ self.w[layer + 1]
                elif label is not None:
                    error = self.answer(self.last, self.w[self.last] @ y[layer])
                    error[label] -= 1
                    total = total - beta * self.w[self.last].T @ error
                y[layer] = self.activation(total)
        z = [None, drive] + [y[layer - 1] @ self.w[layer].T for layer in range(2, self.last + 1)]
        y[-1] = self.answer(self.last, z[-1])
        return z, y

    def equilibrium_propagation(self, s, label):
        steps, beta = self.numbers["nudged_steps"], self.numbers["beta"]
        _, plus = self.swept(s.y, steps, beta, label)
        minus, apart = s.y, beta
        if self.numbers["symmetric"]:
            (_, minus), apart = self.swept(s.y, steps, -beta, label), 2 * beta
        for layer in range(1, self.last):
            s.e[layer] = (minus[layer] - plus[layer]) / apart
        s.e[0] = np.zeros(self.sizes[0])
        s.settled = plus

    def gradient(self, s):
        """∂loss/∂z of hidden layers, with which error angles compare: e_1 … e_L.

        Where activations settle it is -∂y/∂β at β = 0: e = σ′ ⊙ (W e_{l-1} + Wᵀ e_{l+1}), by 4 times as many sweeps.
        """
        e = [np.zeros(n) for n in self.sizes]
        e[-1] = s.y[-1] - s.label[-1]
        if self.pathway != "equilibrium_propagation":
            for layer in range(self.last - 1, 0, -1):
                e[layer] = (self.w[layer + 1].T @ e[layer + 1]) * self.activation.slope(s.z[layer])
            return e
        for _ in range(4 * self.numbers["steps"]):
            for layer in range(1, self.last):
                below = self.w[layer] @ e[layer - 1] if layer > 1 else 0.0
                slope = {"tanh": lambda y: 1 - y**2, "sigmoid": lambda y: y * (1 - y)}[self.activation.name](s.y[layer])
                e[layer] = slope * (below + self.w[layer + 1].T @ e[layer + 1])
        return e

    # ------------------------------------------------------------------------------------------------- what moves

    def follow_signs(self):
        for layer in range(1, self.last + 1):
            size = self.numbers["scale"] * np.sqrt(2 / (self.sizes[layer - 1] + self.sizes[layer]))
            self.b[layer] = size * np.sign(self.w[layer].T)

    def mirror(self):
        """A phase of noise, the k-th before sample k · every."""
        n, phase = self.numbers["presentations"], self.seen // self.numbers["every"]
        reads_image_error = "error_hebb" in self.theta[1]
        for layer in range(1 if reads_image_error else 2, self.last + 1):
            size = n * self.sizes[layer - 1]
            noise = normals(self.seed, "mirror", layer).between(size * phase, size * (phase + 1))
            noise = noise.reshape(n, self.sizes[layer - 1])
            responses = noise @ self.w[layer].T
            if layer < self.last:
                responses = self.activation(responses)
            covariance = noise.T @ (responses - responses.mean(axis=0)) / (n - 1)
            self.b[layer] = self.b[layer] + self.numbers["rate"] * covariance - self.numbers["decay"] * self.b[layer]

    def learn(self, x, label):
        if self.pathway == "weight_mirror" and self.seen % self.numbers["every"] == 0:
            self.mirror()
        s = self.signals(x, label)
        forward, backward = [None], [None]
        for layer in range(1, self.last + 1):
            w, b, theta = self.w[layer], self.back(layer), self.theta[layer]
            forward.append(w + sum(c * TERMS[term](s, layer, w, b) for term, c in theta.items() if c))
            if self.pathway == "kolen_pollack":
                # By the coefficients of the gradient and of decay, as W.
                moved = -theta["gradient"] * np.outer(s.y[layer - 1], s.e[layer]) - theta["decay"] * b
                backward.append(b + moved)
            if self.pathway == "equilibrium_propagation" and layer < self.last:
                # Every weight is used both ways.
                forward[-1] = forward[-1] - theta.get("gradient", 0.0) * np.outer(s.y[layer], s.e[layer - 1])
        # Only now: all layers learn from the weights before the update.
        self.w = forward
        if self.pathway == "kolen_pollack":
            self.b = backward
        if self.pathway == "sign_symmetric":
            self.follow_signs()
        self.seen += 1


TERMS = {
    "gradient": lambda s, l, w, b: -np.outer(s.e[l], s.y[l - 1]),
    "error_hebb": lambda s, l, w, b: np.outer(s.e[l], s.e[l - 1]),
    "oja": lambda s, l, w, b: np.outer(s.y[l], s.y[l - 1]) - np.outer(s.y[l], s.y[l] @ w),
    "decay": lambda s, l, w, b: -w,
    # Those that pathways.toml writes itself.
    "three_factor": lambda s, l, w, b: -s.loss * np.outer(s.y[l], s.y[l - 1]),
    "delta": lambda s, l, w, b: np.outer(s.label[l] - s.y[l], s.y[l - 1]),
    "node_perturbation": lambda s, l, w, b: -s.loss_change / 0.3 * np.outer(s.noise[l], s.y[l - 1]),
    "potential_hebb": lambda s, l, w, b: np.outer(np.tanh(s.z[l]), s.y[l - 1]),
    "noisy": lambda s, l, w, b: np.outer(s.noise[l], s.y[l - 1]),
    "to_feedback": lambda s, l, w, b: b.T - w,
    "settled_gradient": lambda s, l, w, b: -np.outer(s.e[l], s.settled[l - 1]),
    "to_settled": lambda s, l, w, b: np.outer(s.settled[l] - s.y[l], s.y[l - 1]),
    "contrastive": lambda s, l, w, b: np.outer(s.settled[l], s.settled[l - 1]) - np.outer(s.y[l], s.y[l - 1]),
}
