"""Initial weights and sample orders made again from the definition of the random streams (streams.py)."""

import itertools
import json
import math

import numpy as np
import pytest
from streams import Stream, check_chacha

N_CHECKED = 300


def test_the_reference_generator_is_chacha():
    check_chacha()


def draw(init, n_in, n_out, stream, std):
    if init == "xavier":
        return math.sqrt(6 / (n_in + n_out)) * (2 * stream.uniform() - 1)
    return {"naive": std, "kaiming": math.sqrt(2 / n_in)}[init] * stream.normal()


@pytest.mark.parametrize("pipeline", ["replay", "rules"])
def test_initial_weights(pipeline, request):
    """The first of each matrix, in row-major order: equation (3), N(0, 0.01²) and N(0, 2 / n_in)."""
    published = request.getfixturevalue(pipeline)
    checked = set()
    for run in published.runs.values():
        sizes, options = json.loads(run["layer_sizes"]), json.loads(run["options"])
        if run["init"] == "naive":
            assert options["std"] == 0.01
        for layer in range(1, run["n_layers"] + 1):
            weights = published.weights[run["run_id"], 0, "forward", layer]
            assert weights.shape == (sizes[layer], sizes[layer - 1])
            case = (run["init"], run["seed"], layer, weights.shape)
            if case in checked:
                continue
            checked.add(case)
            stream = Stream(run["seed"], "forward_weights", layer)
            n = min(weights.size, N_CHECKED)
            expected = [draw(run["init"], sizes[layer - 1], sizes[layer], stream, 0.01) for _ in range(n)]
            # float32 of a logarithm and a cosine that may differ in float64's last bit.
            np.testing.assert_allclose(weights.ravel()[:n], expected, rtol=2.0**-23, atol=0)
            deviation = {
                "xavier": math.sqrt(2 / sum(weights.shape)),
                "naive": 0.01,
                "kaiming": math.sqrt(2 / sizes[layer - 1]),
            }[run["init"]]
            # The rest of the matrix by its moments: 6 standard errors (kurtosis of a normal at most).
            assert abs(weights.mean()) < 6 * deviation / math.sqrt(weights.size)
            assert abs(weights.std() / deviation - 1) < 6 / math.sqrt(2 * weights.size)
    assert len(checked) > 8


def test_feedback_weights_are_drawn_like_forward_ones_but_apart(replay):
    random = [run for run in replay.runs.values() if run["feedback"] == "random"]
    assert random
    for run, layer in itertools.product(random, range(1, 6)):
        forward = replay.weights[run["run_id"], 0, "forward", layer]
        feedback = replay.weights[run["run_id"], 0, "feedback", layer]
        assert feedback.shape == forward.shape[::-1]
        assert abs(feedback.std() / forward.std() - 1) < 0.1
        assert abs(np.corrcoef(feedback.T.ravel(), forward.ravel())[0, 1]) < 6 / math.sqrt(forward.size)


def test_sample_order_is_the_stream_s(replay):
    """Without replacement from the first 50,000 training images, by the seed alone."""
    for seed in {run["seed"] for run in replay.runs.values()}:
        expected = Stream(seed, "sample_order", 0).without_replacement(50_000, 200)
        for run in replay.runs.values():
            if run["seed"] == seed:
                assert list(replay.order[run["run_id"]]) == expected


@pytest.mark.stages("train")
def test_rules_that_share_a_seed_share_initial_weights(published):
    """A rule never enters a stream, so runs differ by their rule alone."""
    # Of the coefficients that tuning left, only those that it picked keep weights.
    runs = [run for run in published.runs.values() if run.get("cell", 1) == 1]
    same = lambda a, b: all(a[key] == b[key] for key in ("layer_sizes", "init", "seed")) and a["rule"] != b["rule"]
    pairs = [(a, b) for a, b in itertools.combinations(runs, 2) if same(a, b)]
    assert pairs
    for a, b in pairs:
        for layer in range(1, a["n_layers"] + 1):
            key = (0, "forward", layer)
            assert np.array_equal(published.weights[a["run_id"], *key], published.weights[b["run_id"], *key])
        n = min(len(published.order[run["run_id"]]) for run in (a, b))
        assert np.array_equal(published.order[a["run_id"]][:n], published.order[b["run_id"]][:n])
