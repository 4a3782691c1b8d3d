"""Terms that a pipeline writes as equations, replayed in float64: formulas written by hand, no equation is read here."""

import json

import numpy as np
from network import Activation, Network

# max |Δ| over a matrix, relative to its max |w|; float32 against float64 over 200 steps.
TOLERANCE = 1e-4


# What the neurons of each term remember: by term and name in the pipeline, the name here.
REMEMBERED = {
    ("bcm", "theta"): "threshold",
    ("homeostatic_scaling", "activity"): "activity",
    ("covariance", "mean_post"): "mean_post",
    ("covariance", "mean_pre"): "mean_pre",
    ("eligibility", "trace"): "trace",
}


class Layer:
    """What the terms of a rule add to W and B of one layer, and what its neurons remember."""

    def __init__(self, theta, n_pre, n_post):
        self.theta = theta
        self.threshold, self.activity = np.full(n_post, 0.1), np.full(n_post, 0.1)
        self.mean_post, self.mean_pre, self.trace = np.zeros(n_post), np.zeros(n_pre), np.zeros(n_pre)

    def remember(self, state):
        """Goes on from what was published."""
        for key, values in state.items():
            assert getattr(self, REMEMBERED[key]).shape == values.shape
            setattr(self, REMEMBERED[key], values)

    def step(self, w, b, x, y, e_pre, e):
        """What W and B receive. x and y are the activations of both sides, e_pre and e their errors."""
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
            "cubic_feedback": -np.outer(x, e) - b**3 - 0.1 * w.T,
        }
        self.parts = {term: theta * changes[term] for term, theta in self.theta.items()}
        self.threshold = 0.99 * self.threshold + 0.01 * y**2
        self.activity = 0.99 * self.activity + 0.01 * y
        self.mean_post = 0.99 * self.mean_post + 0.01 * y
        self.mean_pre = 0.99 * self.mean_pre + 0.01 * x
        self.trace = 0.9 * self.trace + x
        moved = sum(part for term, part in self.parts.items() if term != "cubic_feedback")
        return moved, self.parts.get("cubic_feedback", 0.0)


def replayed(published, run_id, n_steps, without=(), start=0, remembering=True):
    """The network after `n_steps` and its layers, from the weights of step `start` and, if `remembering`, the state of it."""
    run = published.runs[run_id]
    options = json.loads(run["options"])
    matrices = lambda matrix: [None] + [
        published.weights[run_id, start, matrix, layer] for layer in range(1, run["n_layers"] + 1)
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
        if start and remembering:
            layers[layer].remember(published.state.get((run_id, start, layer), {}))
    images, labels = published.images["train"]
    for sample in published.order[run_id][start:n_steps]:
        z, y = network.forward(images[sample] / 255.0)
        e = network.errors(z, y, labels[sample])
        moved = [None] + [
            layers[n].step(network.weights[n], network.feedback[n], y[n - 1], y[n], e[n - 1], e[n])
            for n in range(1, network.n_layers + 1)
        ]
        for n in range(1, network.n_layers + 1):
            network.weights[n] = network.weights[n] + moved[n][0]
            network.feedback[n] = network.feedback[n] + moved[n][1]
    return network, layers


def deviation(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


def test_weights_after_200_steps_of_written_terms(equations):
    rules, worst = set(), 0.0
    for run_id, run in equations.runs.items():
        network, _ = replayed(equations, run_id, 200)
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
            network, _ = replayed(equations, run_id, 200, without=[term])
            matrix = "feedback" if term == "cubic_feedback" else "forward"
            ours = network.feedback if matrix == "feedback" else network.weights
            apart = [
                deviation(equations.weights[run_id, 200, matrix, layer], ours[layer])
                for layer in range(1, network.n_layers + 1)
            ]
            assert max(apart) > 3 * TOLERANCE, f"{run['rule']}: nothing shows that {term} was there: {apart}"


def apart(equations, run_id, step, network, layers):
    """The largest deviation of weights and of what neurons remember, over all layers."""
    weights = max(
        deviation(equations.weights[run_id, step, matrix, layer], ours[layer])
        for matrix, ours in (("forward", network.weights), ("feedback", network.feedback))
        for layer in range(1, network.n_layers + 1)
    )
    state = [
        deviation(values, getattr(layers[layer], REMEMBERED[key]))
        for layer in range(1, network.n_layers + 1)
        for key, values in equations.state.get((run_id, step, layer), {}).items()
    ]
    return weights, max(state, default=None)


def test_a_replay_goes_on_from_weights_and_state(equations):
    """From step 100 on it arrives where one from the start does; with the state as it began, elsewhere."""
    remembering = {"bcm": 1, "covariance": 2, "scaling": 1, "trace": 1}
    seen = {}
    for run_id, run in equations.runs.items():
        weights, state = apart(equations, run_id, 200, *replayed(equations, run_id, 200, start=100))
        assert weights < TOLERANCE, f"{run['rule']}: {weights:e}"
        if run["rule"] not in remembering:
            assert state is None and not any(key[0] == run_id for key in equations.state)
            continue
        assert state < TOLERANCE, f"{run['rule']}: {state:e}"
        layers = [equations.state[run_id, step, layer] for step in (0, 100, 199, 200) for layer in (1, 2, 3)]
        assert {len(values) for values in layers} == {remembering[run["rule"]]}
        # From the first sample on, without reading any state.
        assert apart(equations, run_id, 200, *replayed(equations, run_id, 200))[1] < TOLERANCE
        forgetful = apart(equations, run_id, 200, *replayed(equations, run_id, 200, start=100, remembering=False))
        seen[run["rule"]] = forgetful
        assert forgetful[0] > 3 * TOLERANCE, f"{run['rule']}: the weights do not show what was forgotten: {forgetful}"
    assert set(seen) == set(remembering)
    print({rule: (f"{weights:.1e}", f"{state:.1e}") for rule, (weights, state) in seen.items()})


def test_norms_of_written_terms(equations):
    """What each term added at the first step and at the last, from the published weights and state before it, to 1e-5."""
    table = equations.frame("train_term_norms")
    by_term = {place: rows for place, rows in table.groupby(["run_id", "step", "layer"], sort=False)}
    compared = set()
    for run_id in equations.runs:
        for step in (1, 200):
            _, layers = replayed(equations, run_id, step, start=step - 1)
            for layer in (1, 2, 3):
                rows = by_term[run_id, step, layer]
                found = dict(zip(rows["term"], rows["norm"], strict=True))
                assert set(found) == set(layers[layer].theta)
                for term, norm in found.items():
                    expected = np.linalg.norm(layers[layer].parts[term])
                    assert abs(norm - expected) <= 1e-5 * expected, (run_id, step, layer, term, norm, expected)
                    compared |= {term} if norm > 0 else set()
    assert len(compared) == 11, compared
