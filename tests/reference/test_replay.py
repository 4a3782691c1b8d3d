"""Training runs replayed in float64 from `train_runs`, `train_samples`, step-0 `train_weights` and `data` alone.

The program computes in float32, so agreement is to its rounding, piled up over 200 steps.
"""

import json

import numpy as np
import pytest
from network import Activation, Network
from published import TERMS

# max |Δ| over a matrix, relative to its max |w|.
WEIGHTS_TOLERANCE = 1e-4
# Relative.
NORM_TOLERANCE = 1e-5
LOSS_TOLERANCE = 1e-5
EPSILON = 2.0**-24


class Replay:
    """A run, and what float64 makes of it: networks and updates at the recorded steps."""

    def __init__(self, published, run_id, n_steps):
        self.published, self.run_id, self.run = published, run_id, published.runs[run_id]
        self.n_layers = self.run["n_layers"]
        options = json.loads(self.run["options"])
        self.activation = Activation(self.run["activation"], options["beta"])
        network = self.snapshot(0)
        images, labels = published.images["train"]
        self.theta, order = published.coefficients[run_id], published.order[run_id]
        self.parts, self.networks = {}, {0: self.snapshot(0)}
        recorded = set(published.frame("train_updates")["step"]) | {n_steps}
        for step in range(1, n_steps + 1):
            sample = order[step - 1]
            parts = network.learn(images[sample] / 255.0, labels[sample], self.theta)
            if step in recorded:
                self.parts[step] = parts
                self.networks[step] = Network(network.weights, network.feedback, network.activation)

    def update(self, step):
        """What float64 adds at this step to the weights published for the step before, by layer and term."""
        images, labels = self.published.images["train"]
        sample = self.published.order[self.run_id][step - 1]
        return self.snapshot(step - 1).learn(images[sample] / 255.0, labels[sample], self.theta)

    def snapshot(self, step):
        """The network that the program published."""
        def matrices(matrix):
            layers = range(1, self.n_layers + 1)
            return [None] + [self.published.weights[self.run_id, step, matrix, layer] for layer in layers]

        symmetric = self.run["feedback"] == "symmetric"
        return Network(matrices("forward"), None if symmetric else matrices("feedback"), self.activation)


@pytest.fixture(scope="module")
def replays(replay, rules):
    return [Replay(published, run_id, 200) for published in (replay, rules) for run_id in published.runs]


def label(replay):
    return f"{replay.published.folder.name} {replay.run_id} {replay.run}"


def deviation(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


def test_every_condition_of_the_paper_is_among_the_replays(replay, rules):
    conditions = {(run["rule"], run["network"], run["feedback"], run["init"]) for run in replay.runs.values()}
    assert len(replay.runs) == 16 and len(conditions) == 8
    assert {len(json.loads(run["layer_sizes"])) - 1 for run in replay.runs.values()} == {5, 10}
    assert {run["feedback"] for run in replay.runs.values()} == {"symmetric", "random"}
    assert {run["init"] for run in replay.runs.values()} == {"xavier", "naive"}
    assert {run["activation"] for run in rules.runs.values()} == {"softplus", "tanh", "relu", "sigmoid"}
    assert {run["init"] for run in rules.runs.values()} == {"xavier", "naive", "kaiming"}


@pytest.mark.parametrize("matrix", ["forward", "feedback"])
def test_weights_after_200_steps(replays, matrix):
    worst, compared = 0.0, 0
    for replay in replays:
        published, replayed, start = replay.snapshot(200), replay.networks[200], replay.snapshot(0)
        pick = lambda network: network.weights if matrix == "forward" else network.feedback
        if pick(published) is None:
            assert not any(key[0] == replay.run_id and key[2] == "feedback" for key in replay.published.weights)
            continue
        for layer in range(1, replay.n_layers + 1):
            difference = deviation(pick(published)[layer], pick(replayed)[layer])
            assert difference < WEIGHTS_TOLERANCE, f"{label(replay)}: layer {layer}: {difference:e}"
            worst, compared = max(worst, difference), compared + 1
            if replay.run["feedback"] == "random" and matrix == "feedback":
                assert np.array_equal(pick(published)[layer], pick(start)[layer]), "fixed feedback has moved"
    print(f"{compared} {matrix} matrices, largest deviation {worst:.1e}")
    assert compared >= 45


def test_weights_have_moved_far_enough_for_the_comparison_to_mean_something(replays):
    """Where the start itself passed the tolerance, the replay would show nothing: naive BP, whose gradients vanish."""
    unmoved = {
        (replay.run["rule"], replay.run["init"])
        for replay in replays
        for layer in range(1, replay.n_layers + 1)
        if deviation(replay.snapshot(0).weights[layer], replay.networks[200].weights[layer]) < 10 * WEIGHTS_TOLERANCE
    }
    assert unmoved <= {("bp", "naive"), ("by_layer", "naive")}, unmoved


def test_updates_entry_by_entry(replays):
    """W after a step minus W before it, both published."""
    for replay in replays:
        for step in (1, 200):
            before, after = replay.snapshot(step - 1), replay.snapshot(step)
            parts = replay.update(step)
            for layer in range(1, replay.n_layers + 1):
                update = sum(parts[layer].values())
                error = np.abs(after.weights[layer] - before.weights[layer] - update)
                # W is rounded once for decay, error and activation each; the update itself is float32.
                allowed = 3.1 * EPSILON * np.abs(after.weights[layer]) + NORM_TOLERANCE * np.abs(update).max()
                assert np.all(error <= allowed), f"{label(replay)}: layer {layer}: {(error / allowed).max()}"


def norms(parts, layer):
    return {
        "gradient_norm": np.linalg.norm(parts[layer]["gradient"]),
        "oja_norm": np.linalg.norm(parts[layer]["oja"]),
        "total_norm": np.linalg.norm(sum(parts[layer].values())),
    }


def test_update_norms(replays):
    """From the published weights of the step before; and from the start, where float32's drift enters too."""
    compared, worst = 0, dict.fromkeys(["gradient_norm", "oja_norm", "total_norm"], 0.0)
    for replay in replays:
        updates = replay.published.frame("train_updates")
        updates = updates[updates["run_id"] == replay.run_id]
        steps = sorted(set(updates["step"]))
        assert steps[-1] == 200 and len(updates) == len(steps) * replay.n_layers
        from_published = {step: replay.update(step) for step in steps}
        for row in updates.to_dict("records"):
            step, layer = row["step"], row["layer"]
            # W before and after are float32: their difference carries W's rounding, which counts where updates vanish.
            rounding = {"total_norm": 2 * EPSILON * np.linalg.norm(replay.snapshot(step).weights[layer])}
            replayed = norms(replay.parts[step], layer)
            for name, norm in norms(from_published[step], layer).items():
                error = abs(row[name] - norm)
                message = f"{label(replay)}: {row}: {name} from published weights {norm}, replayed {replayed[name]}"
                assert error <= NORM_TOLERANCE * norm + rounding.get(name, 0.0), message
                drift = abs(row[name] - replayed[name])
                assert drift <= WEIGHTS_TOLERANCE * norm + rounding.get(name, 0.0), message
                if norm > 0:
                    worst[name] = max(worst[name], error / norm)
                compared += 1
    print(f"{compared} norms, largest relative deviations {worst}")
    assert compared > 1000


def test_norms_of_every_term(rules, replays):
    """Of what moves W and of what moves B, from the published weights of the step before: in columns of their own, 0 where
    the rule has no such term, and as a row for each term of the rule."""
    updates, table = rules.frame("train_updates"), rules.frame("train_term_norms")
    key = ["run_id", "step", "layer"]
    by_term = {place: dict(zip(rows["term"], rows["norm"])) for place, rows in table.groupby(key, sort=False)}
    images, labels = rules.images["train"]
    compared = dict.fromkeys(TERMS, 0)
    for replay in [replay for replay in replays if replay.published is rules]:
        coefficients = rules.frame("train_coefficients")
        of_rule = set(coefficients[coefficients["run_id"] == replay.run_id]["term"])
        for step in (1, 200):
            sample, network = rules.order[replay.run_id][step - 1], replay.snapshot(step - 1)
            parts = network.learn(images[sample] / 255.0, labels[sample], replay.theta)
            for row in updates[(updates["run_id"] == replay.run_id) & (updates["step"] == step)].to_dict("records"):
                layer = row["layer"]
                found = by_term[replay.run_id, step, layer]
                assert set(found) == of_rule
                for term, part in (parts[layer] | network.feedback_parts[layer]).items():
                    norm = np.linalg.norm(part)
                    assert abs(row[f"{term}_norm"] - norm) <= NORM_TOLERANCE * norm, (label(replay), row, term, norm)
                    assert row[f"{term}_norm"] == found.get(term, 0.0)
                    compared[term] += norm > 0
    assert all(compared.values()), compared


def test_without_other_terms_the_total_is_the_gradient_part(replays):
    """Claim C17: of plain BP, to float32 rounding of the weights."""
    compared = 0
    for replay in replays:
        if replay.run["rule"] != "bp":
            continue
        updates = replay.published.frame("train_updates")
        for row in updates[updates["run_id"] == replay.run_id].to_dict("records"):
            rounding = EPSILON * np.linalg.norm(replay.snapshot(row["step"]).weights[row["layer"]])
            assert abs(row["total_norm"] - row["gradient_norm"]) <= 1e-6 * row["gradient_norm"] + rounding
            assert row["oja_norm"] == 0
            compared += 1
    assert compared >= 48


def test_evaluations(replays):
    compared, worst = 0, 0.0
    for replay in replays[::2]:
        images, labels = replay.published.images["test"]
        evaluations = replay.published.frame("train_evaluations")
        for row in evaluations[evaluations["run_id"] == replay.run_id].to_dict("records"):
            if row["step"] not in (0, 200):
                continue
            assert row["n_samples"] == 10_000
            # The published weights, so that only the evaluation is compared.
            accuracy, loss = replay.snapshot(row["step"]).evaluate(images / 255.0, labels)
            # An image whose two largest logits differ by float32 rounding may fall either way.
            assert abs(row["accuracy"] - accuracy) <= 2e-4, f"{label(replay)}: {row}: {accuracy}"
            assert abs(row["loss"] - loss) <= LOSS_TOLERANCE * loss, f"{label(replay)}: {row}: {loss}"
            worst, compared = max(worst, abs(row["loss"] - loss) / loss), compared + 1
    print(f"{compared} evaluations, largest relative deviation of the loss {worst:.1e}")
    assert compared >= 20


def test_evaluations_of_replayed_networks(replays):
    """From the step-0 weights alone: 200 steps in float64, then the test set."""
    for replay in replays[1::5]:
        images, labels = replay.published.images["test"]
        evaluations = replay.published.frame("train_evaluations")
        at_end = evaluations[(evaluations["run_id"] == replay.run_id) & (evaluations["step"] == 200)]
        accuracy, loss = replay.networks[200].evaluate(images / 255.0, labels)
        assert abs(at_end["accuracy"].item() - accuracy) <= 1e-3, label(replay)
        assert abs(at_end["loss"].item() - loss) <= 1e-4 * loss, label(replay)


def test_activations(replays):
    compared = 0
    by_run = {}
    for published in {id(replay.published): replay.published for replay in replays}.values():
        for row in published.vectors("activations", "activation"):
            by_run.setdefault(row["run_id"], []).append(row)
    for replay in replays:
        rows = by_run[replay.run_id]
        images, _ = replay.published.images["test"]
        samples = sorted({row["sample_index"] for row in rows})
        assert samples == list(range(len(samples))), "the first images of the test set"
        inputs = images[: len(samples)] / 255.0
        exact, replayed = replay.snapshot(200).forward(inputs)[1], replay.networks[200].forward(inputs)[1]
        for layer in sorted({row["layer"] for row in rows}):
            of_layer = [row for row in rows if row["layer"] == layer]
            assert [row["sample_index"] for row in of_layer] == samples and {row["step"] for row in of_layer} == {200}
            found = np.stack([row["activation"] for row in of_layer])
            assert {row["n_units"] for row in of_layer} == {found.shape[1]}
            assert deviation(found, exact[layer]) < 2e-6, f"{label(replay)}: layer {layer}"
            assert deviation(found, replayed[layer]) < 2 * WEIGHTS_TOLERANCE, f"{label(replay)}: layer {layer}"
            compared += 1
    assert compared > 60


def test_a_run_that_diverges_does_so_in_float64_too(divergence):
    """From the last weights published before: past float32's range a run is over, and float64 passes it as well."""
    diverged = [run for run in divergence.runs.values() if run["status"] == "diverged"]
    assert diverged and len(diverged) < len(divergence.runs)
    images, labels = divergence.images["train"]
    for run in diverged:
        run_id, n_layers, order = run["run_id"], run["n_layers"], divergence.order[run["run_id"]]
        assert len(order) == run["diverged_at_step"], "samples end with the one at which it diverged"
        assert 1 <= run["diverged_at_layer"] <= n_layers
        step = max(key[1] for key in divergence.weights if key[0] == run_id)
        weights = [divergence.weights[run_id, step, "forward", layer] for layer in range(1, n_layers + 1)]
        options = json.loads(run["options"])
        network = Network([None, *weights], None, Activation(run["activation"], options["beta"]))
        largest = 0.0
        with np.errstate(over="ignore", invalid="ignore"):
            while largest < np.finfo(np.float32).max:
                assert step < len(order), f"finite in float64, {largest:e} after step {step}: {run}"
                sample, step = order[step], step + 1
                network.learn(images[sample] / 255.0, labels[sample], divergence.coefficients[run_id])
                largest = max(np.nan_to_num(np.abs(w), nan=np.inf).max() for w in network.weights[1:])
        assert run["diverged_at_step"] - step <= 1, f"in float64 at step {step}: {run}"


def test_a_run_that_diverged_has_no_numbers_afterwards(divergence):
    for run in divergence.runs.values():
        end = run["diverged_at_step"] if run["status"] == "diverged" else np.inf
        for table in ("train_evaluations", "train_updates"):
            rows = divergence.frame(table)
            rows = rows[rows["run_id"] == run["run_id"]]
            expected = {step for step in range(0, 401, 50) if step < end}
            assert set(rows["step"]) == expected - ({0} if table == "train_updates" else set())
            assert np.isfinite(rows.select_dtypes("float")).all(axis=None)
