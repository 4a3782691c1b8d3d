"""Backpropagation through time with Oja's rule, replayed in float64 numpy from the published tables alone.

Plain loops over time and outer products, written from section 2.4 of the paper. z[t], v[t], e[t] are lists with entry 0
unused: z_1 = W_x x, z_{t+1} = W_h σ(z_t) + W_x x_{t+1}, and the readout W_o σ(z_T).
"""

import json

import numpy as np
import pytest
from network import Activation, softmax

# max |Δ| over a matrix, relative to its max |w|; float32 rounding piles up over 50 samples of 50 time steps.
WEIGHTS_TOLERANCE = 1e-4
# Relative.
NORM_TOLERANCE = 1e-5
EPSILON = 2.0**-24
LAYERS = {"input": 1, "recurrent": 2, "readout": 3}
N_STEPS = 50


class Recurrent:
    def __init__(self, weights, run):
        self.w = {name: weights[name].copy() for name in LAYERS}
        options = json.loads(run["options"])
        self.n_steps, self.n_shown, self.target = options["time_steps"], options["image_steps"], options["oja_target"]
        self.sigma = Activation(run["activation"], options["beta"])
        self.gradient, self.oja = run["gradient"], run["oja"]
        self.clip = options.get("clip", np.inf)
        self.shortened_by = 1.0

    def states(self, x):
        """z_1 … z_T of one image, or of many as rows."""
        drive = x @ self.w["input"].T
        z = [None, drive]
        for t in range(2, self.n_steps + 1):
            z.append(self.sigma(z[-1]) @ self.w["recurrent"].T + (drive if t <= self.n_shown else 0.0))
        return z

    def logits(self, x):
        return self.sigma(self.states(x)[-1]) @ self.w["readout"].T

    def updates(self, x, label):
        """By matrix: the gradient part and the Oja part of the update."""
        z, w_h, last = self.states(x), self.w["recurrent"], self.n_steps
        h = [None] + [self.sigma(state) for state in z[1:]]
        error = softmax(self.w["readout"] @ h[last])
        error[label] -= 1
        e = [None] * (last + 1)
        e[last] = (self.w["readout"].T @ error) * self.sigma.slope(z[last])
        for t in range(last - 1, 0, -1):
            e[t] = (w_h.T @ e[t + 1]) * self.sigma.slope(z[t])
        oja = np.zeros_like(w_h)
        for t in range(1, last):
            v = w_h @ h[t]
            oja += np.outer(v, (z[t] if self.target == "hidden_state" else h[t]) - w_h.T @ v)
        gradient = {
            "input": sum(np.outer(e[t], x) for t in range(1, self.n_shown + 1)),
            "recurrent": sum(np.outer(e[t + 1], h[t]) for t in range(1, last)),
            "readout": np.outer(error, h[last]),
        }
        length = np.sqrt(sum(np.sum(part**2) for part in gradient.values()))
        self.shortened_by = min(1.0, self.clip / length)
        return {
            name: (-self.gradient * self.shortened_by * gradient[name], self.oja * oja if name == "recurrent" else 0 * self.w[name])
            for name in LAYERS
        }

    def learn(self, x, label):
        for name, parts in self.updates(x, label).items():
            self.w[name] = self.w[name] + sum(parts)


@pytest.fixture(scope="module")
def runs(recurrent):
    assert len(recurrent.runs) == 6
    return recurrent.runs.values()


def at(recurrent, run, step):
    """The network that the program published."""
    layers = LAYERS.items()
    return Recurrent({name: recurrent.weights[run["run_id"], step, name, layer] for name, layer in layers}, run)


def seen(recurrent, run, step):
    images, labels = recurrent.images["train"]
    sample = recurrent.order[run["run_id"]][step - 1]
    return images[sample] / 255.0, labels[sample]


def deviation(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


def test_weights_after_50_samples(recurrent, runs):
    worst, clipped = 0.0, []
    for run in runs:
        network, start = at(recurrent, run, 0), at(recurrent, run, 0)
        for step in range(1, N_STEPS + 1):
            network.learn(*seen(recurrent, run, step))
            clipped.append((run["rule"], network.shortened_by < 1.0))
        published = at(recurrent, run, N_STEPS)
        for name in LAYERS:
            difference = deviation(published.w[name], network.w[name])
            assert difference < WEIGHTS_TOLERANCE, f"{run}: {name}: {difference:e}"
            assert deviation(start.w[name], network.w[name]) > 10 * WEIGHTS_TOLERANCE, f"{run}: {name} hardly moved"
            worst = max(worst, difference)
    # Some gradients of the clipped rule are shortened and some not, and none of another rule.
    assert {("clipped", True), ("clipped", False)} == {found for found in clipped if found[1] or found[0] == "clipped"}
    print(f"largest deviation {worst:.1e}")


def test_update_norms(recurrent, runs):
    updates = recurrent.frame("train_updates")
    compared = 0
    for run in runs:
        for row in updates[updates["run_id"] == run["run_id"]].to_dict("records"):
            step, name = row["step"], {layer: name for name, layer in LAYERS.items()}[row["layer"]]
            before, after = at(recurrent, run, step - 1), at(recurrent, run, step)
            gradient, oja = before.updates(*seen(recurrent, run, step))[name]
            rounding = 2 * EPSILON * np.linalg.norm(after.w[name])
            for column, part, allowed in [
                ("gradient_norm", gradient, 0.0),
                ("oja_norm", oja, 0.0),
                ("total_norm", gradient + oja, rounding),
            ]:
                expected = np.linalg.norm(part)
                assert abs(row[column] - expected) <= NORM_TOLERANCE * expected + allowed, f"{row}: {column}: {expected}"
                compared += 1
    assert compared == 6 * 2 * 3 * 3


def test_evaluations_and_hidden_norms(recurrent, runs):
    pixels, labels = recurrent.images["test"]
    images = pixels / 255.0
    evaluations, norms = recurrent.frame("train_evaluations"), recurrent.frame("train_hidden_norms")
    for run in runs:
        network = at(recurrent, run, N_STEPS)
        [row] = evaluations[(evaluations["run_id"] == run["run_id"]) & (evaluations["step"] == N_STEPS)].to_dict("records")
        logits = network.logits(images)
        loss = np.log(np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1))
        loss = np.mean(loss + logits.max(axis=1) - logits[np.arange(len(labels)), labels])
        assert row["n_samples"] == 10_000
        # An image whose two largest logits differ by float32 rounding may fall either way.
        assert abs(row["accuracy"] - np.mean(logits.argmax(axis=1) == labels)) <= 2e-4
        assert abs(row["loss"] - loss) <= NORM_TOLERANCE * loss
        of_run = norms[(norms["run_id"] == run["run_id"]) & (norms["step"] == N_STEPS)]
        assert list(of_run["time"]) == list(range(1, network.n_steps + 1)) and set(of_run["n_samples"]) == {1000}
        expected = [np.linalg.norm(z, axis=1).mean() for z in network.states(images[:1000])[1:]]
        assert np.allclose(of_run["mean_norm"], expected, rtol=NORM_TOLERANCE, atol=0)
