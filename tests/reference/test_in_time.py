"""What is measured on recurrent networks, by layer and time step, recomputed from their published weights in float64 numpy.

Layers: 0 is the image while it is shown, 1 the hidden state z_t, 2 its activation h_t, 3 the softmax after the last step.
"""

import numpy as np
import pytest
from network import softmax
from test_measurements import TOLERANCE, check_norms, groups
from test_recurrent import at

N_IMAGES, N_STEPS, N_SHOWN = 100, 9, 3
MATRICES = {1: "input", 2: "recurrent", 3: "readout"}


@pytest.fixture(scope="module")
def images(in_time):
    return in_time.images["test"][0][:N_IMAGES] / 255.0


def network_of(in_time, run_id, step):
    return at(in_time, in_time.runs[run_id], step)


def layers(network, images):
    """{(layer, t): n_images × n_units}, wherever a layer is there."""
    z = network.states(images)
    found = {(0, t): images for t in range(1, N_SHOWN + 1)}
    found |= {(1, t): z[t] for t in range(1, N_STEPS + 1)}
    found |= {(2, t): network.sigma(z[t]) for t in range(1, N_STEPS + 1)}
    found[3, N_STEPS] = np.array([softmax(row) for row in network.logits(images)])
    return found


def test_activations(in_time, images):
    rows, seen = list(in_time.vectors("activations", "activation")), set()
    for row in rows:
        seen.add((row["run_id"], row["step"], row["layer"], row["time_step"]))
    expected = {key: layers(network_of(in_time, *key[:2]), images) for key in {place[:2] for place in seen}}
    for row in rows:
        found = expected[row["run_id"], row["step"]][row["layer"], row["time_step"]][row["sample_index"]]
        np.testing.assert_allclose(row["activation"], found, rtol=TOLERANCE, atol=2e-6)
    places = [(0, 1), (0, 3), *((layer, t) for layer in (1, 2) for t in (1, 3, 4, 9)), (3, 9)]
    assert {place[2:] for place in seen} == set(places) and len(rows) == 2 * len(places) * N_IMAGES


def test_activation_norms(in_time, images):
    frame = in_time.frame("norms")
    compared = 0
    for (run_id, step), rows in groups(frame[frame["step"] != 30], "run_id", "step"):
        y = layers(network_of(in_time, run_id, step), images)
        assert list(zip(rows["layer"], rows["time_step"])) == [(l, t) for l in (1, 2) for t in range(1, N_STEPS + 1)]
        for row in rows.to_dict("records"):
            check_norms(row, y[row["layer"], row["time_step"]])
            compared += 1
    assert compared == 2 * 2 * 2 * N_STEPS


def test_what_is_handed_on_in_memory_is_what_is_kept(in_time):
    columns = ["run_id", "step", "layer", "time_step", "mean_norm", "std_norm", "participation_ratio"]
    passing, kept = in_time.frame("norms"), in_time.frame("kept_norms")
    assert set(passing["step"]) == {0, 30, 60}
    passing = passing[passing["step"] != 30]
    passing, kept = (frame[columns].sort_values(columns[:4]).reset_index(drop=True) for frame in (passing, kept))
    assert len(kept) > 0 and kept.equals(passing)


def test_residuals(in_time, images):
    for (run_id, step), rows in groups(in_time.frame("reconstruction_error"), "run_id", "step"):
        network = network_of(in_time, run_id, step)
        y, w_x, w_h = layers(network, images), network.w["input"], network.w["recurrent"]
        times = [(1, t) for t in range(1, N_STEPS + 1)] + [(2, t) for t in range(1, N_STEPS)]
        assert list(zip(rows["layer"], rows["time_step"])) == times
        for row in rows.to_dict("records"):
            h = y[2, row["time_step"]]
            before, back = (images, h @ w_x) if row["layer"] == 1 else (h, h @ w_h.T @ w_h)
            error, signal = ((before - back) ** 2).sum(axis=1).mean(), (before**2).sum(axis=1).mean()
            np.testing.assert_allclose(row["error"], error, rtol=TOLERANCE)
            np.testing.assert_allclose(row["signal"], signal, rtol=TOLERANCE)
            np.testing.assert_allclose(row["relative_error"], error / signal, rtol=TOLERANCE)


def test_weight_diagnostics(in_time):
    frame = in_time.frame("diagnostics")
    assert "time_step" not in frame.columns and len(frame) == 2 * 2 * 3
    for row in frame.to_dict("records"):
        w = network_of(in_time, row["run_id"], row["step"]).w[MATRICES[row["layer"]]]
        np.testing.assert_allclose(row["orthonormality"], np.linalg.norm(w @ w.T - np.eye(len(w))), rtol=TOLERANCE)
        assert row["feedback_angle"] == 0 and row["error_angle"] == 0
