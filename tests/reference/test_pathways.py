"""Every pathway of errors, replayed in float64 (pathways.py) from published weights at step 0, samples and images alone."""

import json

import numpy as np
import pytest
from network import Activation
from pathways import TERMS, Learner

# max |Δ| over a matrix, relative to its max |w|; float32 against float64 over 100 steps.
TOLERANCE = 1e-5
# Where the loss changes by a thousandth, it is a difference of two float32 losses.
TOLERANCE_OF_FAINT_NOISE = 2e-4
# Of one step, relative to the largest entry of its update, beside the rounding of W. Settled phases are subtracted.
STEP_TOLERANCE = 1e-4
STEP_TOLERANCE_OF_FAINT_NOISE = 1e-2
EPSILON = 2.0**-24
# Degrees.
ANGLE_TOLERANCE = 1e-3

# What a pathway adds to a rule by itself. Here it follows from the definition of the pathway, not from the table.
FOLLOWING = ["feedback_hebb", "feedback_decay", "gradient_back"]
N_STEPS = 100


def theta_of(published, run_id):
    """By layer, entry 0 unused: coefficients by term."""
    table = published.frame("train_coefficients")
    rows = table[table["run_id"] == run_id]
    layers = range(1, published.runs[run_id]["n_layers"] + 1)
    of = lambda layer: rows[rows["layer"] == layer]
    return [None] + [dict(zip(of(layer)["term"], of(layer)["coefficient"], strict=True)) for layer in layers]


def learner(published, run_id, step=0):
    """The network that the program published, and what it learns by."""
    run = published.runs[run_id]
    options = json.loads(run["options"])

    def matrices(matrix):
        layers = range(1, run["n_layers"] + 1)
        return [None] + [published.weights[run_id, step, matrix, layer] for layer in layers]

    theta = [
        theta and {term: c for term, c in theta.items() if term not in FOLLOWING}
        for theta in theta_of(published, run_id)
    ]
    has_feedback = (run_id, step, "feedback", 1) in published.weights
    found = Learner(
        matrices("forward"),
        matrices("feedback") if has_feedback else None,
        Activation(run["activation"], options["beta"]),
        run["feedback"],
        options.get("pathway", {}),
        options.get("loss", "cross_entropy"),
        theta,
        run["seed"],
    )
    found.seen = step
    return found


def replayed(published, run_id, change=lambda learner: None):
    """From step 0, by what `change` makes of the learner."""
    found = learner(published, run_id)
    change(found)
    images, labels = published.images["train"]
    with np.errstate(all="ignore"):
        for sample in published.order[run_id][:N_STEPS]:
            found.learn(images[sample] / 255.0, labels[sample])
    return found


@pytest.fixture(scope="module")
def runs(pathways):
    return pathways.runs


@pytest.fixture(scope="module")
def replays(pathways, runs):
    return {run_id: replayed(pathways, run_id) for run_id in runs}


def is_faint(run):
    return run["case"] == "broadcast"


def deviation(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


def deviations(published, run_id, replay):
    """Of every matrix that the program has at the end."""
    n_layers = published.runs[run_id]["n_layers"]
    found = {}
    for matrix, ours in (("forward", replay.w), ("feedback", replay.b)):
        for layer in range(1, n_layers + 1):
            weights = published.weights.get((run_id, N_STEPS, matrix, layer))
            if weights is not None:
                found[matrix, layer] = deviation(ours[layer], weights) if ours is not None else np.inf
    return found


def test_every_pathway_is_among_the_replays(pathways, runs):
    assert {run["feedback"] for run in runs.values()} == {
        "symmetric",
        "random",
        "kolen_pollack",
        "sign_symmetric",
        "direct",
        "broadcast",
        "none",
        "weight_mirror",
        "predictive_coding",
        "equilibrium_propagation",
    }
    assert {run["rule"] for run in runs.values()} == {"without_oja", "with_oja"}
    assert len(pathways.runs) == 104 and {run["status"] for run in pathways.runs.values()} == {"completed"}
    terms = {term for run_id in pathways.runs for theta in theta_of(pathways, run_id)[1:] for term in theta}
    assert terms == set(TERMS) | set(FOLLOWING)


def test_numbers_that_are_left_out(runs):
    told = lambda case: [json.loads(run["options"]).get("pathway") for run in runs.values() if run["case"] == case]
    usual = {
        "sign_symmetric": {"scale": 1.0},
        "broadcast": {"std": 1e-3},
        "weight_mirror": {"every": 10, "presentations": 20, "rate": 0.1, "decay": 0.1},
        "predictive_coding": {"steps": 20, "rate": 0.2, "fixed_prediction": False},
        "equilibrium_propagation": {"steps": 10, "nudged_steps": 4, "beta": 0.5, "symmetric": True},
        "direct": None,
        "none": None,
        "kolen_pollack": None,
    }
    for case, numbers in usual.items():
        assert told(case) == [numbers] * 4, case


def test_terms_that_follow_from_a_pathway(pathways):
    """Both of Kolen and Pollack's by the coefficients of their leaders, the gradient's second part but at the output."""
    for run_id, run in pathways.runs.items():
        for layer, theta in enumerate(theta_of(pathways, run_id)[1:], start=1):
            following = {term: theta[term] for term in FOLLOWING if term in theta}
            expected = {
                "kolen_pollack": lambda: {"feedback_hebb": theta["gradient"], "feedback_decay": theta["decay"]},
                "equilibrium_propagation": lambda: {"gradient_back": theta["gradient"] if layer < 4 else 0.0},
            }.get(run["feedback"], dict)()
            assert following == expected, f"{run['case']}: layer {layer}"


def test_weights_after_100_steps(pathways, runs, replays):
    worst = {}
    for run_id, run in runs.items():
        tolerance = TOLERANCE_OF_FAINT_NOISE if is_faint(run) else TOLERANCE
        found = deviations(pathways, run_id, replays[run_id])
        has_feedback = run["feedback"] in ("random", "kolen_pollack", "sign_symmetric", "direct", "weight_mirror")
        assert len(found) == (8 if has_feedback else 4), run["case"]
        for (matrix, layer), difference in found.items():
            assert difference < tolerance, f"{run['case']}, {run['rule']}: {matrix} {layer}: {difference:e}"
        worst[run["case"]] = max(worst.get(run["case"], 0.0), *found.values())
    print("largest deviations", {case: f"{difference:.1e}" for case, difference in worst.items()})


def test_weights_have_moved_far_enough_for_the_comparison_to_mean_something(pathways, runs, replays):
    """All but what has nothing to learn from, and B where it is fixed."""
    for run_id, run in runs.items():
        start = learner(pathways, run_id)
        for layer in range(1, 5):
            moved = deviation(start.w[layer], replays[run_id].w[layer])
            if run["case"] == "none" and run["rule"] == "without_oja" and layer < 4:
                assert moved == 0
            else:
                tolerance = TOLERANCE_OF_FAINT_NOISE if is_faint(run) else TOLERANCE
                assert moved > 10 * tolerance, f"{run['case']}, {run['rule']}: layer {layer}: {moved:e}"
        if run["feedback"] in ("kolen_pollack", "weight_mirror"):
            b = (start.b, replays[run_id].b)
            moved = {layer for layer in range(1, 5) if deviation(b[0][layer], b[1][layer]) > 0.05}
            # Noise moves what an error passes, B₁ only where a term reads e_0.
            spared = {1} if run["case"] == "weight_mirror" else set()
            assert moved == {1, 2, 3, 4} - spared, run["case"]


def test_one_step(pathways, runs):
    """The last one, from the published weights before it: entry by entry, relative to the update."""
    images, labels = pathways.images["train"]
    worst = {}
    for run_id, run in runs.items():
        before, after = learner(pathways, run_id, N_STEPS - 1), learner(pathways, run_id, N_STEPS - 1)
        sample = pathways.order[run_id][N_STEPS - 1]
        after.learn(images[sample] / 255.0, labels[sample])
        tolerance = STEP_TOLERANCE_OF_FAINT_NOISE if is_faint(run) else STEP_TOLERANCE
        for layer in range(1, 5):
            published = pathways.weights[run_id, N_STEPS, "forward", layer]
            error = np.abs(published - after.w[layer])
            update = np.abs(after.w[layer] - before.w[layer]).max()
            # W is rounded once for decay, error, activation and written terms each; 1 - λ is rounded too.
            allowed = 4.1 * EPSILON * np.abs(after.w[layer]) + tolerance * update
            assert np.all(error <= allowed), f"{run['case']}, {run['rule']}: layer {layer}: {error.max():e} of {update:e}"
            if update > 0:
                worst[run["case"]] = max(worst.get(run["case"], 0.0), error.max() / update)
    print("largest deviations, rounding of W included", {case: f"{worst[case]:.0e}" for case in worst})


def test_update_norms(pathways, runs):
    """Of the last step; the gradient's is that of the term `gradient`, under equilibrium propagation as elsewhere."""
    images, labels = pathways.images["train"]
    updates = pathways.frame("train_updates")
    updates = updates[updates["step"] == N_STEPS].set_index(["run_id", "layer"])
    for run_id, run in runs.items():
        network = learner(pathways, run_id, N_STEPS - 1)
        sample = pathways.order[run_id][N_STEPS - 1]
        signals = network.signals(images[sample] / 255.0, labels[sample])
        tolerance = STEP_TOLERANCE_OF_FAINT_NOISE if is_faint(run) else STEP_TOLERANCE
        for layer in range(1, 5):
            row = updates.loc[(run_id, layer)]
            for term in ("gradient", "oja"):
                part = TERMS[term](signals, layer, network.w[layer], None)
                norm = network.theta[layer].get(term, 0.0) * np.linalg.norm(part)
                assert abs(row[f"{term}_norm"] - norm) <= tolerance * norm, f"{run['case']}: {row}, {norm}"
            before, after = (pathways.weights[run_id, step, "forward", layer] for step in (N_STEPS - 1, N_STEPS))
            total = np.linalg.norm(after - before)
            assert abs(row["total_norm"] - total) <= TOLERANCE * total, f"{run['case']}: {row}, {total}"


def test_kolen_and_pollack_s_difference_fades(pathways, runs):
    """B - Wᵀ loses `decay` of itself a sample, where gradient and decay are all that moves W."""
    compared = 0
    for run_id, run in runs.items():
        if (run["case"], run["rule"]) != ("kolen_pollack", "without_oja"):
            continue
        at = lambda step, matrix, layer: pathways.weights[run_id, step, matrix, layer].astype(np.float64)
        for layer in range(1, 5):
            first, last = (at(step, "feedback", layer) - at(step, "forward", layer).T for step in (0, N_STEPS))
            assert deviation(last, first * (1 - 1e-3) ** N_STEPS) < TOLERANCE
            compared += 1
    assert compared == 8


# ------------------------------------------------------------------------------------------------- what would be seen


def by_backpropagation(learner):
    """Errors alone: the rest of what a pathway makes is still there to be read."""
    signals = learner.signals

    def through_w(x, label):
        found = signals(x, label)
        b, learner.b = learner.b, None
        learner.from_layer_to_layer(found, label)
        learner.b = b
        return found

    learner.signals = through_w


def by_fixed_weights(learner):
    learner.pathway = "random"


def other_number(name):
    def change(learner):
        value = learner.numbers[name]
        # Of steps that settle, few of the last ones would be missed.
        other = not value if isinstance(value, bool) else value // 2 if isinstance(value, int) else 1.25 * value
        learner.numbers = learner.numbers | {name: other}
        if learner.pathway == "sign_symmetric":
            learner.follow_signs()

    return change


def other_seed(learner):
    learner.seed += 100


def other_loss(learner):
    learner.loss_name = "cross_entropy" if learner.loss_name == "squared_error" else "squared_error"


def without(term):
    def change(learner):
        for theta in learner.theta[1:]:
            if term in theta:
                theta[term] = 0.0

    return change


def changes(run, theta):
    """What must not go unseen, by name."""
    numbers = json.loads(run["options"]).get("pathway", {})
    terms = {term for of_layer in theta[1:] for term, c in of_layer.items() if c} - set(FOLLOWING)
    if run["feedback"] != "symmetric" and terms & {"gradient", "error_hebb", "settled_gradient"}:
        yield "backpropagation", by_backpropagation
    # Weights that are pulled towards B keep their signs.
    if run["feedback"] in ("kolen_pollack", "weight_mirror", "sign_symmetric") and "to_feedback" not in terms:
        yield "B fixed", by_fixed_weights
    # e_l does not depend on the spread of noise that is faint.
    for name in numbers if not is_faint(run) else []:
        yield f"another {name}", other_number(name)
    if run["feedback"] in ("broadcast", "weight_mirror"):
        yield "another seed", other_seed
    yield "another loss", other_loss
    for term in sorted(terms):
        yield f"no {term}", without(term)


def test_what_is_wrong_is_seen(pathways, runs):
    """A replay by another pathway, with another number, noise or loss, or without a term ends elsewhere."""
    compared = 0
    for run_id, run in runs.items():
        if run["seed"] != 7 or run["rule"] != "without_oja":
            continue
        tolerance = TOLERANCE_OF_FAINT_NOISE if is_faint(run) else TOLERANCE
        for name, change in changes(run, theta_of(pathways, run_id)):
            apart = deviations(pathways, run_id, replayed(pathways, run_id, change)).values()
            # NaN, of a replay that diverged, is elsewhere too.
            apart = np.nan_to_num(list(apart), nan=np.inf)
            assert max(apart) > 10 * tolerance, f"{run['case']}: {name} goes unseen: {apart}"
            compared += 1
    print(f"{compared} wrong replays")
    assert compared > 100


# ------------------------------------------------------------------------------------------------- what is measured


def test_evaluations(pathways, runs):
    """From the published weights at the end; predictions of equilibrium propagation are those that have settled."""
    pixels, labels = pathways.images["test"]
    images = pixels / 255.0
    evaluations = pathways.frame("train_evaluations")
    at_end = evaluations[evaluations["step"] == N_STEPS].set_index("run_id")
    worst = 0.0
    for run_id, run in runs.items():
        if run["seed"] != 7:
            continue
        network, row = learner(pathways, run_id, N_STEPS), at_end.loc[run_id]
        accuracy, loss = network.evaluate(images, labels)
        assert row["n_samples"] == 10_000
        # An image whose two largest outputs differ by float32 rounding may fall either way.
        assert abs(row["accuracy"] - accuracy) <= 2e-4, f"{run['case']}: {row['accuracy']}, {accuracy}"
        assert abs(row["loss"] - loss) <= TOLERANCE * loss, f"{run['case']}: {row['loss']}, {loss}"
        worst = max(worst, abs(row["loss"] - loss) / loss)
        if run["feedback"] == "equilibrium_propagation":
            network.pathway = "symmetric"
            _, unsettled = network.evaluate(images, labels)
            assert abs(row["loss"] - unsettled) > 10 * TOLERANCE * loss, run["case"]
    print(f"largest relative deviation of the loss {worst:.1e}")


def angle(a, b):
    """Degrees between two vectors, exact for small angles too; None if either has no direction."""
    if not a.any() or not b.any():
        return None
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    return np.degrees(2 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b)))


def test_error_angles(pathways, runs):
    """Between the errors of a pathway and the gradient of the loss, mean over 20 images of the test set."""
    images, labels = (half[:20] for half in pathways.images["test"])
    table = pathways.frame("diagnostics")
    worst, compared = {}, 0
    for run_id, run in runs.items():
        network = learner(pathways, run_id, N_STEPS)
        # Noise is that of seed 0, from its beginning.
        network.seed, network.seen = 0, 0
        angles = [[] for _ in range(5)]
        for image, label in zip(images, labels, strict=True):
            signals = network.signals(image / 255.0, label)
            gradient = network.gradient(signals)
            for layer in range(1, 5):
                angles[layer].append(angle(signals.e[layer], gradient[layer]))
            network.seen += 1
        rows = table[table["run_id"] == run_id].set_index("layer")
        assert list(rows.index) == [1, 2, 3, 4]
        for layer in range(1, 5):
            found = rows.loc[layer, "error_angle"]
            there = [value for value in angles[layer] if value is not None]
            if not there:
                assert np.isnan(found) and run["feedback"] == "none" and layer < 4
                continue
            difference = abs(found - np.mean(there))
            assert difference < ANGLE_TOLERANCE, f"{run['case']}, {run['rule']}: layer {layer}: {found}, {np.mean(there)}"
            worst[run["feedback"]] = max(worst.get(run["feedback"], 0.0), difference)
            compared += found > 1
    print("largest differences in degrees", {pathway: f"{difference:.0e}" for pathway, difference in worst.items()})
    assert compared > 200
