"""Terms that a pipeline writes as equations, replayed in float64: formulas written by hand, no equation is read here."""

import json

import numpy as np
from network import Activation, Network

# max |Δ| over a matrix, relative to its max |w|; float32 against float64 over 200 steps.
TOLERANCE = 1e-4


class Layer:
    """What the terms of a rule add to W and B of one layer, and what its neurons remember."""

    def __init__(self, theta, n_pre, n_post):
        self.theta = theta
        self.threshold, self.activity = np.full(n_post, 0.1), np.full(n_post, 0.1)
        self.mean_post, self.mean_pre, self.trace = np.zeros(n_post), np.zeros(n_pre), np.zeros(n_pre)

    def step(self, w, b, x, y, e_pre, e):
        """x and y are the activations of both sides, e_pre and e their errors."""
        changes = {
            "gradient": -np.outer(e, x),
            "oja_single": np.outer(y, x) - y[:, None] ** 2 * w,
            "sanger": np.outer(y, x) - np.tril(np.outer(y, y)) @ w,
            "bcm": np.outer(y * (y - self.threshold), x),
            "covariance": np.outer(y - self.mean_post, x - self.mean_pre),
            "homeostatic_scaling": (0.1 - self.activity)[:, None] * w,
            "constant_decay": -np.sign(w),
            "soft_bound": np.outer(e, e_pre) * (1 - np.tanh(w) ** 2),
            "eligibility": -np.outer(e, self.trace),
            "instar": np.outer(y, x) - y[:, None] * w,
        }
        moved = sum(self.theta[term] * change for term, change in changes.items() if self.theta.get(term))
        feedback = self.theta.get("cubic_feedback", 0.0) * (-np.outer(x, e) - b**3 - 0.1 * w.T)
        self.threshold = 0.99 * self.threshold + 0.01 * y**2
        self.activity = 0.99 * self.activity + 0.01 * y
        self.mean_post = 0.99 * self.mean_post + 0.01 * y
        self.mean_pre = 0.99 * self.mean_pre + 0.01 * x
        self.trace = 0.9 * self.trace + x
        return moved, feedback


def replayed(published, run_id, n_steps, without=()):
    run = published.runs[run_id]
    options = json.loads(run["options"])
    matrices = lambda matrix: [None] + [
        published.weights[run_id, 0, matrix, layer] for layer in range(1, run["n_layers"] + 1)
    ]
    network = Network(matrices("forward"), matrices("feedback"), Activation(run["activation"], options["beta"]))
    table = published.frame("train_coefficients")
    table = table[table["run_id"] == run_id]
    layers = [None]
    for layer in range(1, network.n_layers + 1):
        rows = table[table["layer"] == layer]
        n_post, n_pre = network.weights[layer].shape
        theta = dict(zip(rows["term"], rows["coefficient"], strict=True))
        layers.append(Layer({term: theta[term] for term in theta if term not in without}, n_pre, n_post))
    images, labels = published.images["train"]
    for sample in published.order[run_id][:n_steps]:
        z, y = network.forward(images[sample] / 255.0)
        e = network.errors(z, y, labels[sample])
        moved = [None] + [
            layers[n].step(network.weights[n], network.feedback[n], y[n - 1], y[n], e[n - 1], e[n])
            for n in range(1, network.n_layers + 1)
        ]
        for n in range(1, network.n_layers + 1):
            network.weights[n] = network.weights[n] + moved[n][0]
            network.feedback[n] = network.feedback[n] + moved[n][1]
    return network


def deviation(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


def test_weights_after_200_steps_of_written_terms(equations):
    rules, worst = set(), 0.0
    for run_id, run in equations.runs.items():
        network = replayed(equations, run_id, 200)
        rules.add(run["rule"])
        for layer in range(1, network.n_layers + 1):
            for matrix, expected in (("forward", network.weights[layer]), ("feedback", network.feedback[layer])):
                found = equations.weights[run_id, 200, matrix, layer]
                difference = deviation(found, expected)
                assert difference < TOLERANCE, f"{run['rule']}: {matrix} {layer}: {difference:e}"
                worst = max(worst, difference)
            start = equations.weights[run_id, 0, "forward", layer]
            assert deviation(start, network.weights[layer]) > 10 * TOLERANCE, f"{run['rule']}: {layer} has not moved"
    assert len(rules) == 8
    print(f"largest deviation {worst:.1e}")


def test_a_term_that_is_left_out_is_missed(equations):
    """The comparison sees each written term: without it, the replay arrives elsewhere."""
    for run_id, run in equations.runs.items():
        table = equations.frame("train_coefficients")
        for term in set(table[table["run_id"] == run_id]["term"]) - {"gradient", "constant_decay"}:
            network = replayed(equations, run_id, 200, without=[term])
            matrix = "feedback" if term == "cubic_feedback" else "forward"
            ours = network.feedback if matrix == "feedback" else network.weights
            apart = [
                deviation(equations.weights[run_id, 200, matrix, layer], ours[layer])
                for layer in range(1, network.n_layers + 1)
            ]
            assert max(apart) > 3 * TOLERANCE, f"{run['rule']}: nothing shows that {term} was there: {apart}"
