"""Feed-forward networks that learn online, in float64 numpy, written from the equations of the paper.

Dense matrices and outer products throughout: nothing here is fast, and nothing shares an idea with the program's kernels.
y[0] is the image, y[l] = σ(W[l] y[l-1]), y[L] = softmax(W[L] y[L-1]); W[l] is n_l × n_{l-1}, B[l] is n_{l-1} × n_l.
"""

import numpy as np


class Activation:
    def __init__(self, name, beta=None):
        self.name, self.beta = name, beta

    def __call__(self, z):
        if self.name == "softplus":
            # As the definition, ln(1 + exp(βz)) / β, but without overflow.
            return np.logaddexp(0.0, self.beta * z) / self.beta
        return {
            "tanh": np.tanh,
            "relu": lambda z: np.where(z > 0, z, 0.0),
            "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
            "linear": lambda z: z,
        }[self.name](z)

    def slope(self, z):
        """σ′(z)."""
        if self.name == "softplus":
            return 1 / (1 + np.exp(-self.beta * z))
        return {
            "tanh": lambda z: 1 - np.tanh(z) ** 2,
            "relu": lambda z: np.where(z > 0, 1.0, 0.0),
            "sigmoid": lambda z: self(z) * (1 - self(z)),
            "linear": np.ones_like,
        }[self.name](z)

    def slope_of_input(self, x):
        """The factor of e_0 in rule (9): σ′ where the image is read as a softplus output, else 1."""
        return 1 - np.exp(-self.beta * x) if self.name == "softplus" else np.ones_like(x)


def softmax(z):
    exponentials = np.exp(z - z.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


class Network:
    """`weights` and `feedback` are lists by layer, entry 0 unused; `feedback` is None where B = Wᵀ."""

    def __init__(self, weights, feedback, activation):
        self.weights = [None] + [np.array(w, dtype=np.float64) for w in weights[1:]]
        self.feedback = feedback and [None] + [np.array(b, dtype=np.float64) for b in feedback[1:]]
        self.activation = activation

    @property
    def n_layers(self):
        return len(self.weights) - 1

    def forward(self, x):
        """z and y of one image, or of many as rows."""
        z, y = [None], [x]
        for layer in range(1, self.n_layers + 1):
            z.append(y[-1] @ self.weights[layer].T)
            y.append(softmax(z[-1]) if layer == self.n_layers else self.activation(z[-1]))
        return z, y

    def errors(self, z, y, label):
        """e_0 … e_L, equation (7)."""
        back = self.feedback or [None] + [w.T for w in self.weights[1:]]
        e = [None] * (self.n_layers + 1)
        e[-1] = y[-1].copy()
        e[-1][label] -= 1
        for layer in range(self.n_layers - 1, 0, -1):
            e[layer] = (back[layer + 1] @ e[layer + 1]) * self.activation.slope(z[layer])
        e[0] = (back[1] @ e[1]) * self.activation.slope_of_input(y[0])
        return e

    def learn(self, x, label, theta):
        """One step of rule (9) and plain Hebb; `theta[term][l - 1]` is the coefficient in layer l.

        Returns what was added to W[l], by layer and term; what was added to B[l] is kept in `feedback_parts`.
        """
        z, y = self.forward(x)
        e = self.errors(z, y, label)
        parts, feedback_parts = [None], [None]
        for layer in range(1, self.n_layers + 1):
            w = self.weights[layer]
            of = lambda term: theta[term][layer - 1]
            parts.append(
                {
                    "gradient": -of("gradient") * np.outer(e[layer], y[layer - 1]),
                    "error_hebb": of("error_hebb") * np.outer(e[layer], e[layer - 1]),
                    "oja": of("oja") * (np.outer(y[layer], y[layer - 1]) - np.outer(y[layer], y[layer] @ w)),
                    "decay": -of("decay") * w,
                    "hebb": of("hebb") * np.outer(y[layer], y[layer - 1]),
                }
            )
            if of("feedback_hebb") or of("feedback_decay"):
                feedback_parts.append(
                    {
                        "feedback_hebb": -of("feedback_hebb") * np.outer(y[layer - 1], e[layer]),
                        "feedback_decay": -of("feedback_decay") * self.feedback[layer],
                    }
                )
            else:
                feedback_parts.append({})
        # Only now: all layers learn from the weights before the update.
        for layer in range(1, self.n_layers + 1):
            self.weights[layer] = self.weights[layer] + sum(parts[layer].values())
            if feedback_parts[layer]:
                self.feedback[layer] = self.feedback[layer] + sum(feedback_parts[layer].values())
        self.feedback_parts = feedback_parts
        return parts

    def evaluate(self, images, labels):
        """Accuracy and mean cross-entropy over images as rows."""
        z, y = self.forward(images)
        logits = z[-1] - z[-1].max(axis=1, keepdims=True)
        loss = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(labels)), labels]
        return float(np.mean(y[-1].argmax(axis=1) == labels)), float(loss.mean())
