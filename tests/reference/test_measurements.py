"""Residuals, norms, updates, diagnostics, reconstructions and normalised networks, recomputed from published weights.

Everything here is float64 numpy from the definitions; the program's own numbers are single precision inside, double in
their sums. The tolerance is the contract's 1e-5, relative, wherever the quantity itself is computed; where single-precision
activations are subtracted (residuals near 0, angles near 0) it is relative to what is subtracted.
"""

import json

import numpy as np
import pytest
from network import Activation, Network, softmax
from test_equations import Layer

TOLERANCE = 1e-5


def activation_of(run):
    return Activation(run["activation"], json.loads(run["options"])["beta"])


def network_of(measurements, run_id, step):
    """The network of one run and step, from `train_weights`."""
    run = measurements.runs[run_id]
    matrices = lambda kind: [None] + [
        measurements.weights[run_id, step, kind, layer] for layer in range(1, run["n_layers"] + 1)
    ]
    feedback = matrices("feedback") if run["feedback"] != "symmetric" else None
    return Network(matrices("forward"), feedback, activation_of(run))


def groups(frame, *columns):
    found = list(frame.groupby(list(columns), sort=False))
    assert found
    return found


def test_residuals(measurements):
    images = measurements.images["test"][0][:100] / 255.0
    for (run_id, step), rows in groups(measurements.frame("reconstruction_error"), "run_id", "step"):
        network = network_of(measurements, run_id, step)
        _, y = network.forward(images)
        assert sorted(rows["layer"]) == list(range(1, network.n_layers))
        for row in rows.to_dict("records"):
            layer = row["layer"]
            residual = y[layer - 1] - y[layer] @ network.weights[layer]
            error, signal = (residual**2).sum(axis=1).mean(), (y[layer - 1] ** 2).sum(axis=1).mean()
            np.testing.assert_allclose(row["error"], error, rtol=TOLERANCE)
            np.testing.assert_allclose(row["signal"], signal, rtol=TOLERANCE)
            np.testing.assert_allclose(row["relative_error"], error / signal, rtol=TOLERANCE)


def check_norms(row, y):
    norms, centred = np.linalg.norm(y, axis=1), y - y.mean(axis=0)
    covariance = centred.T @ centred
    np.testing.assert_allclose(row["mean_norm"], norms.mean(), rtol=TOLERANCE)
    np.testing.assert_allclose(row["mean_activation"], y.mean(), rtol=TOLERANCE)
    np.testing.assert_allclose(row["std_activation"], y.std(), rtol=TOLERANCE)
    # Both are differences of single-precision activations: as exact as those are beside the differences.
    loss = np.abs(y).max() / centred.std() * 2.0**-22
    np.testing.assert_allclose(row["std_norm"], norms.std(), rtol=max(TOLERANCE, loss), atol=norms.mean() * 2.0**-22)
    ratio = np.trace(covariance) ** 2 / (covariance**2).sum()
    np.testing.assert_allclose(row["participation_ratio"], ratio, rtol=max(TOLERANCE, loss))
    assert row["n_samples"] == len(y)


def test_activation_norms(measurements):
    images = measurements.images["test"][0][:100] / 255.0
    for (run_id, step), rows in groups(measurements.frame("norms"), "run_id", "step"):
        _, y = network_of(measurements, run_id, step).forward(images)
        for row in rows.to_dict("records"):
            check_norms(row, y[row["layer"]])


def test_what_is_handed_on_in_memory_is_what_is_kept(measurements):
    """The same trainings with and without kept weights: the same norms, to the last bit."""
    kept = measurements.frame("norms").query("network == '5 layers'")
    passing = measurements.frame("passing_norms")
    columns = ["rule", "seed", "step", "layer", "mean_norm", "std_norm", "participation_ratio"]
    key = columns[:4]
    kept, passing = (frame[columns].sort_values(key).reset_index(drop=True) for frame in (kept, passing))
    assert len(kept) > 0 and kept.equals(passing)


def test_update_norms_and_c17(measurements):
    """Parts from signals, the whole from the weights before and after; under plain BP they are the same (claim C17)."""
    images, labels = measurements.images["train"]
    for (run_id, step), rows in groups(measurements.frame("train_updates"), "run_id", "step"):
        run, sample = measurements.runs[run_id], measurements.order[run_id][step - 1]
        before, after = (network_of(measurements, run_id, at) for at in (step - 1, step))
        weights = [w if w is None else w.copy() for w in before.weights]
        parts = before.learn(images[sample] / 255.0, labels[sample], measurements.coefficients[run_id])
        for row in rows.to_dict("records"):
            layer = row["layer"]
            norm = lambda term: np.linalg.norm(parts[layer][term])
            np.testing.assert_allclose(row["gradient_norm"], norm("gradient"), rtol=TOLERANCE, atol=1e-30)
            np.testing.assert_allclose(row["oja_norm"], norm("oja"), rtol=TOLERANCE, atol=1e-12)
            # Weights are single precision: their difference is as exact as one rounding of each weight.
            difference = np.linalg.norm(after.weights[layer] - weights[layer])
            np.testing.assert_allclose(row["total_norm"], difference, rtol=TOLERANCE)
            if run["oja"] == 0:
                rounding = np.linalg.norm(weights[layer]) * 2.0**-24
                np.testing.assert_allclose(row["total_norm"], row["gradient_norm"], rtol=TOLERANCE, atol=rounding)


def angle(a, b):
    """Degrees between two vectors or matrices, exact for small angles too."""
    a, b = a.ravel() / np.linalg.norm(a), b.ravel() / np.linalg.norm(b)
    return np.degrees(2 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b)))


def test_weight_diagnostics(measurements):
    pixels, labels = (half[:60] for half in measurements.images["test"])
    for (run_id, step), rows in groups(measurements.frame("diagnostics"), "run_id", "step"):
        network = network_of(measurements, run_id, step)
        symmetric = Network(network.weights, None, network.activation)
        errors = []
        for x, label in zip(pixels / 255.0, labels, strict=True):
            z, y = network.forward(x)
            errors.append((network.errors(z, y, label), symmetric.errors(z, y, label)))
        for row in rows.to_dict("records"):
            layer, w = row["layer"], network.weights[row["layer"]]
            orthonormality = np.linalg.norm(w @ w.T - np.eye(len(w)))
            np.testing.assert_allclose(row["orthonormality"], orthonormality, rtol=TOLERANCE)
            if network.feedback is None:
                assert row["feedback_angle"] == 0 and row["error_angle"] == 0
                continue
            np.testing.assert_allclose(row["feedback_angle"], angle(network.feedback[layer].T, w), rtol=TOLERANCE)
            through = np.mean([angle(a[layer], b[layer]) for a, b in errors])
            np.testing.assert_allclose(row["error_angle"], through, rtol=TOLERANCE, atol=1e-4)


def reconstructed(network, y, layer):
    back = y[layer]
    for below in range(layer, 0, -1):
        back = back @ network.weights[below]
    return back


def check_similarity(row, original, image):
    if row["layer"] > 0:
        np.testing.assert_allclose(row["correlation"], np.corrcoef(original, image)[0, 1], rtol=TOLERANCE, atol=1e-6)
    np.testing.assert_allclose(row["error"], ((original - image) ** 2).mean(), rtol=TOLERANCE)


def test_reconstructed_images(measurements):
    """The first test image of each class, its pixels from every layer, its correlation and error."""
    originals, labels = measurements.images["test"]
    first = sorted(int(np.flatnonzero(labels == digit)[0]) for digit in range(10))
    rows = list(measurements.vectors("images", "pixels"))
    assert len(rows) > 0
    for row in rows:
        network = network_of(measurements, row["run_id"], row["step"])
        assert row["sample_index"] in first and row["label"] == labels[row["sample_index"]]
        original = originals[row["sample_index"]] / 255.0
        image = reconstructed(network, network.forward(original)[1], row["layer"])
        np.testing.assert_allclose(row["pixels"], image, rtol=TOLERANCE, atol=TOLERANCE * np.abs(image).max())
        check_similarity(row, original, image)
    runs = {(row["run_id"], row["layer"]) for row in rows}
    assert len(rows) == 10 * len(runs)


def test_similarity_of_many_images(measurements):
    originals = measurements.images["test"][0][:100] / 255.0
    frame = measurements.frame("similarity")
    assert frame["pixels"].isna().all()
    for (run_id, step, layer), rows in groups(frame, "run_id", "step", "layer"):
        network = network_of(measurements, run_id, step)
        images = reconstructed(network, network.forward(originals)[1], layer)
        assert list(rows["sample_index"]) == list(range(100))
        for row in rows.to_dict("records"):
            check_similarity(row, originals[row["sample_index"]], images[row["sample_index"]])


def batch_forward(matrices, activation, x):
    """y_1 … y_L of a network that may be normalised: y = σ(scale ⊙ W y + shift) in its hidden layers."""
    y, n_layers = [x], max(layer for kind, layer in matrices if kind == "forward")
    for layer in range(1, n_layers + 1):
        z = y[-1] @ matrices["forward", layer].T
        if ("scale", layer) in matrices:
            z = z * matrices["scale", layer][:, 0] + matrices["shift", layer][:, 0]
        y.append(softmax(z) if layer == n_layers else activation(z))
    return y


@pytest.fixture(scope="module")
def trained(batches):
    """{run_id: row of `batches_runs`} and {(run_id, step): {(matrix, layer): n_out × n_in}}."""
    runs = {row["run_id"]: row for row in batches.frame("batches_runs").to_dict("records")}
    weights = {}
    for row in batches.vectors("batches_weights", "weights"):
        matrix = row["weights"].reshape(row["n_out"], row["n_in"])
        weights.setdefault((row["run_id"], row["step"]), {})[row["matrix"], row["layer"]] = matrix
    return runs, weights


def test_normalised_networks_are_known_whole_by_their_weights(batches, trained):
    """Accuracy, loss and norms of networks trained in mini-batches, from their published matrices, scales and shifts."""
    runs, weights = trained
    assert {row["batch_norm"] for row in runs.values()} == {True, False}
    pixels, labels = batches.images["test"]
    images = pixels / 255.0
    for row in batches.frame("batches_evaluations").to_dict("records"):
        y = batch_forward(weights[row["run_id"], row["step"]], activation_of(runs[row["run_id"]]), images)
        correct = (y[-1].argmax(axis=1) == labels).mean()
        # Single precision may decide a tie otherwise.
        assert abs(row["accuracy"] - correct) <= 2 / len(labels)
        loss = -np.log(y[-1][np.arange(len(labels)), labels]).mean()
        np.testing.assert_allclose(row["loss"], loss, rtol=TOLERANCE)
    for (run_id, step), rows in groups(batches.frame("batch_norms"), "run_id", "step"):
        y = batch_forward(weights[run_id, step], activation_of(runs[run_id]), images[:100])
        for row in rows.to_dict("records"):
            check_norms(row, y[row["layer"]])


def test_plain_batches_are_mean_gradients(batches, trained):
    """A replay of mini-batch descent with Oja's term and others, 10 batches of 20, arrives at the published weights."""
    runs, weights = trained
    images, labels = batches.images["train"]
    samples = batches.frame("batches_samples")
    plain = [run for run in runs.values() if not run["batch_norm"]]
    assert plain and all(run["optimizer"] == "sgd" for run in plain)
    written = set()
    for run in plain:
        order = samples[samples["run_id"] == run["run_id"]].sort_values("step")["sample_index"].to_numpy()
        start = weights[run["run_id"], 0]
        network = Network([None] + [start["forward", layer] for layer in (1, 2, 3)], None, activation_of(run))
        theta = {term: np.zeros(3) for term in ("gradient", "error_hebb", "oja", "decay", "hebb")}
        theta |= {"feedback_hebb": np.zeros(3), "feedback_decay": np.zeros(3)}
        theta |= {"gradient": np.full(3, run["rate"]), "oja": np.full(3, run["oja"])}
        theta |= {term: np.full(3, run[term]) for term in ("error_hebb", "decay", "hebb")}
        others = json.loads(run["options"]).get("coefficients", {})
        others = {term: value for term, value in others.items() if term not in theta}
        written |= set(others)
        # Thresholds move on from sample to sample, weights from batch to batch.
        layers = [None] + [Layer(others, w.shape[1], w.shape[0]) for w in network.weights[1:]]
        for batch in order.reshape(-1, run["batch_size"]):
            moved = [None] + [np.zeros_like(w) for w in network.weights[1:]]
            for sample in batch:
                one = Network(network.weights, None, network.activation)
                z, y = one.forward(images[sample] / 255.0)
                e = one.errors(z, y, labels[sample])
                parts = one.learn(images[sample] / 255.0, labels[sample], theta)
                for layer in (1, 2, 3):
                    w = network.weights[layer]
                    more, _ = layers[layer].step(w, w.T, y[layer - 1], y[layer], e[layer - 1], e[layer])
                    moved[layer] += (sum(parts[layer].values()) + more) / len(batch)
            for layer in (1, 2, 3):
                network.weights[layer] += moved[layer]
        for layer in (1, 2, 3):
            published = weights[run["run_id"], 200]["forward", layer]
            scale = np.abs(network.weights[layer]).max()
            np.testing.assert_allclose(published, network.weights[layer], rtol=1e-4, atol=1e-5 * scale)
    assert written == {"oja_single", "bcm"}
