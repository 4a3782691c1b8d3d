"""Six claims estimated again, by networks of our own: other weights, other samples, other code.

Every other check here follows what the program published; this one meets it only at the end. The equations of the paper in
plain numpy, all seeds of a setting side by side, in single precision while they learn and in double where they are measured.
Shared are the images and the coefficients that tuning picked (`pipelines/coefficients`), nothing else: random numbers are
numpy's. After `ojaflow pipeline` of fig1, fig2, fig6 and fig7, from the project's root:

    target/tmp/python/bin/python tests/reference/claims_again.py --outputs outputs --data data

One core needs about five minutes, and 1 GB. For each quantity of the claims C19, C21, C22, C23, C24 and C26 a line says mean
± standard error over the program's runs with the picked coefficients, the same over ours, how many combined standard errors
lie between them (z), and whether our mean is on the side of the claim's bound that the program's verdict names. Rules are
paired by seed on either side.

The exit status is 1 where the two differ by more than chance allows: Student's t-test of each quantity (were they the same,
so would be their variances), by Holm's rule at 1 % over all of them. One check in a hundred, then, fails with nothing wrong;
`--stream` trains other networks.
"""

import argparse
import gzip
import itertools
import math
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
from published import Published
from scipy import stats

# By pipeline: claims, and the settings of tuning that they speak of.
CLAIMS = {
    "fig1": (["C26"], ["10_layers"]),
    "fig2": (["C24"], ["10_layers"]),
    "fig6": (["C19", "C22", "C23"], ["5_layers", "10_layers", "5_layers_feedback_alignment"]),
    "fig7": (["C21"], ["rnn"]),
}
COEFFICIENTS = Path(__file__).resolve().parents[2] / "pipelines" / "coefficients"
LEVEL = 0.01
BETA = 10.0
N_SAMPLES, N_MEASURED = 5000, 1000
MEASURED_AT = (1000, 2000, 5000)
N_HIDDEN, N_TIMES, N_SHOWN = 128, 50, 5
FIVE = [784, 170, 130, 100, 70, 10]
TEN = [784, 170, 150, 130, 120, 110, 100, 90, 80, 70, 10]
# By network: its layers, its setting, whether its feedback is random.
CHAINS = {
    "5 layers": (FIVE, "5_layers", False),
    "10 layers": (TEN, "10_layers", False),
    "feedback alignment": (FIVE, "5_layers_feedback_alignment", True),
}
# A generator for each seed and purpose: rules that share a seed share weights and samples.
WEIGHTS, FEEDBACK, ORDER = range(3)


class Data:
    """MNIST, and random numbers."""

    def __init__(self, folder, stream):
        read = lambda name: gzip.decompress((folder / "mnist" / f"{name}-ubyte.gz").read_bytes())
        images = lambda half: np.frombuffer(read(f"{half}-images-idx3"), np.uint8, offset=16).reshape(-1, 784) / 255
        targets = lambda half: np.eye(10)[np.frombuffer(read(f"{half}-labels-idx1"), np.uint8, offset=8)]
        self.images, self.targets = images("train").astype(np.float32), targets("train").astype(np.float32)
        self.test_images, self.test_targets = images("t10k"), targets("t10k")
        self.stream = stream

    def generators(self, purpose, n):
        return [np.random.default_rng([self.stream, purpose, seed]) for seed in range(n)]

    def matrices(self, purpose, n, shapes):
        """Xavier's, equation (3): n networks' (n_out, n_in), stacked."""
        generators = self.generators(purpose, n)
        draw = lambda generator, shape: generator.uniform(-1, 1, shape) * math.sqrt(6 / sum(shape))
        return [np.stack([draw(generator, shape) for generator in generators]).astype(np.float32) for shape in shapes]

    def samples(self, n):
        """Step, images and targets of n networks, as stacked columns."""
        order = np.stack([generator.permutation(50_000)[:N_SAMPLES] for generator in self.generators(ORDER, n)])
        for step, index in enumerate(order.T, 1):
            yield step, self.images[index][..., None], self.targets[index][..., None]


def softplus(z):
    return np.maximum(z, 0) + np.log1p(np.exp(-BETA * np.abs(z))) / BETA


def softplus_slope(y):
    """σ′(z), from y = σ(z)."""
    return -np.expm1(-BETA * y)


def softmax(z, axis):
    exponentials = np.exp(z - z.max(axis=axis, keepdims=True))
    return exponentials / exponentials.sum(axis=axis, keepdims=True)


def turned(stack):
    return stack.swapaxes(1, 2)


def train_chain(data, network, gradient, oja, n):
    """{step: (weights, feedback)} of n networks, by layer; equations (1), (7), (8) and Oja's rule."""
    sizes, _, random_feedback = CHAINS[network]
    pairs = list(itertools.pairwise(sizes))
    w = data.matrices(WEIGHTS, n, [(n_out, n_in) for n_in, n_out in pairs])
    # Transposed views follow the weights; random feedback stays as it was drawn.
    back = data.matrices(FEEDBACK, n, pairs) if random_feedback else [turned(matrix) for matrix in w]
    change, kept = [np.empty_like(matrix) for matrix in w], {}
    for step, x, target in data.samples(n):
        y = [x]
        for matrix in w[:-1]:
            y.append(softplus(matrix @ y[-1]))
        y.append(softmax(w[-1] @ y[-1], axis=1))
        e = y[-1] - target
        for layer in reversed(range(len(w))):
            before, after, matrix = y[layer], y[layer + 1], w[layer]
            left = np.concatenate([-gradient * e, oja * after], axis=2)
            right = np.concatenate([before, before - turned(matrix) @ after], axis=2)
            if layer > 0:
                # Now, while this layer's weights are those that the image went through.
                e = (back[layer] @ e) * softplus_slope(before)
            matrix += np.matmul(left, turned(right), out=change[layer])
        if step in MEASURED_AT:
            kept[step] = [matrix.astype(np.float64) for matrix in w], random_feedback and back
    return kept


def train_recurrent(data, gradient, oja, n):
    """W_h of n networks after the last sample: backpropagation through time and Oja's rule for hidden states."""
    shapes = [(N_HIDDEN, 784), (N_HIDDEN, N_HIDDEN), (10, N_HIDDEN)]
    w_x, w_h, w_o = data.matrices(WEIGHTS, n, shapes)
    for _, x, target in data.samples(n):
        drive = w_x @ x
        z, h = [drive], [np.tanh(drive)]
        for t in range(1, N_TIMES):
            z.append(w_h @ h[-1] + (drive if t < N_SHOWN else 0))
            h.append(np.tanh(z[-1]))
        error = softmax(w_o @ h[-1], axis=1) - target
        e = [(turned(w_o) @ error) * (1 - h[-1] ** 2)]
        for t in reversed(range(N_TIMES - 1)):
            e.append((turned(w_h) @ e[-1]) * (1 - h[t] ** 2))
        # One column a time step.
        z, h, e = (np.concatenate(steps, axis=2) for steps in (z[:-1], h, e[::-1]))
        v = w_h @ h[:, :, :-1]
        change = oja * v @ turned(z - turned(w_h) @ v) - gradient * e[:, :, 1:] @ turned(h[:, :, :-1])
        w_o -= gradient * error @ turned(h[:, :, -1:])
        w_x -= gradient * e[:, :, :N_SHOWN].sum(axis=2, keepdims=True) @ turned(x)
        w_h += change
    return w_h.astype(np.float64)


def angle(a, b):
    """Mean angle between rows, in degrees."""
    cosine = (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    # An error that vanishes has no direction.
    return np.nanmean(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def measure(data, w, back):
    """One network on the test images: accuracy on all of them, the rest on the first, by hidden layer."""
    y = [data.test_images]
    for matrix in w[:-1]:
        y.append(softplus(y[-1] @ matrix.T))
    p = softmax(y[-1] @ w[-1].T, axis=1)
    accuracy = (p.argmax(axis=1) == data.test_targets.argmax(axis=1)).mean()
    # What has diverged is at chance; the rest of it is not a number, and left out of every mean.
    found = {"accuracy": accuracy if np.isfinite(p).all() else 0.1}
    y, error = [layer[:N_MEASURED] for layer in y], (p - data.test_targets)[:N_MEASURED]
    found["mean"] = [layer.mean() for layer in y[1:]]
    found["variance"] = [layer.var() for layer in y[1:]]
    square = lambda rows: (rows**2).sum(axis=1).mean()
    found["residual"] = [square(below - above @ matrix) for below, above, matrix in zip(y, y[1:], w)]
    found["relative"] = [residual / square(below) for below, residual in zip(y, found["residual"])]
    if back:
        through_b, through_w, found["angle"] = error, error, []
        for layer in reversed(range(1, len(w))):
            slope = softplus_slope(y[layer])
            through_b, through_w = (through_b @ back[layer].T) * slope, (through_w @ w[layer]) * slope
            found["angle"].insert(0, angle(through_b, through_w))
    return found


def tuned():
    """{(setting, rule): (gradient, oja)} of the figures: where a rule has Oja's term, the best with a positive one."""
    tables = [tomllib.loads((COEFFICIENTS / name).read_text()) for name in ("tune.toml", "tune_rnn.toml")]
    rows = [row for table in tables for row in table["coefficients"] if row["dataset"] == "mnist"]
    best = {(row["setting"], row["rule"]): row.get("best_positive", row["best"]) for row in rows}
    return {condition: (terms["gradient"], terms.get("oja", 0.0)) for condition, terms in best.items()}


def our_networks(data, coefficients, n, n_recurrent):
    """{(network, rule, step): {measurement: array, one row per seed}}"""
    networks, began = {}, time.monotonic()
    done = lambda *what: print(*what, f"after {time.monotonic() - began:.0f} s", file=sys.stderr)
    for network, rule in itertools.product(CHAINS, ("bp", "bp_oja")):
        kept = train_chain(data, network, *coefficients[CHAINS[network][1], rule], n)
        for step, (w, back) in kept.items():
            each = [measure(data, [m[seed] for m in w], back and [m[seed] for m in back]) for seed in range(n)]
            networks[network, rule, step] = {name: np.array([found[name] for found in each]) for name in each[0]}
        done(network, rule)
    for rule in ("bptt", "bptt_oja"):
        w_h = train_recurrent(data, *coefficients["rnn", rule], n_recurrent)
        # Divided by what it is for W_h = 0.
        departure = np.linalg.norm(turned(w_h) @ w_h - np.eye(N_HIDDEN), axis=(1, 2)) / math.sqrt(N_HIDDEN)
        networks["rnn", rule, N_SAMPLES] = {"departure": departure}
        done("rnn", rule)
    return networks


def our_quantities(networks):
    """By the name of the program's table, functions of what a claim selects in it: one value per seed."""

    def gain(network, name, step=N_SAMPLES):
        return networks[network, "bp_oja", step][name] - networks[network, "bp", step][name]

    def change(network, rule, moment):
        late, early = (networks[network, rule, step][moment] for step in (5000, 1000))
        return np.abs(np.log(late / early)).mean(axis=1)

    accuracy = lambda network, rule: networks[network, rule, N_SAMPLES]["accuracy"]
    departure = lambda rule: networks["rnn", rule, N_SAMPLES]["departure"]
    return {
        "early_gain": lambda network, samples: gain(network, "accuracy", samples) - gain(network, "accuracy"),
        "relative_error": lambda rule, step, layer: networks["10 layers", rule, step]["relative"][:, layer - 1],
        "change_spared": lambda network, moment: change(network, "bp", moment) - change(network, "bp_oja", moment),
        "alignment_loss": lambda rule: accuracy("5 layers", rule) - accuracy("feedback alignment", rule),
        "residual_gain": lambda network, layer: gain(network, "residual")[:, layer - 1],
        "angle_gain": lambda network, layer: gain(network, "angle")[:, layer - 1],
        "departure_spared": lambda: departure("bptt") - departure("bptt_oja"),
    }


def program_quantities(folder, claims, settings, coefficients):
    """(claim, table, what the claim selects in it, bound, one value per seed, verdict), with the picked coefficients."""
    published = Published(folder)
    trained = published.frame("train_runs").query("cell == 1")[["rule", "gradient", "oja"]].to_numpy().tolist()
    for (setting, rule), picked in coefficients.items():
        if setting in settings and [rule, *picked] not in trained:
            sys.exit(f"{folder}: no {rule} with {picked}, which tuning picked for {setting}; run the pipeline again")
    verdicts, (stage,) = published.frame("claims"), published.stages("claims")
    for condition in stage["tasks"][0]["material"]["parameters"]["conditions"]:
        if condition["claim"] not in claims:
            continue
        rows = published.frame(condition["of"] + "_values")
        for together in itertools.product(*condition["for_all"].values()):
            selected = condition["where"] | dict(zip(condition["for_all"], together))
            chosen = np.all([rows[name] == wanted for name, wanted in (selected | {"cell": 1}).items()], axis=0)
            by_seed = rows[chosen].pivot(index="seed", columns="part", values="value")
            values = (by_seed["plus"] - by_seed.get("minus", 0)).dropna().to_numpy()
            # That a verdict has the same mean shows that these are the right rows.
            same = np.isclose(verdicts["picked_estimate"], values.mean(), rtol=1e-9, atol=0)
            (verdict,) = verdicts[same & (verdicts["claim"] == condition["claim"])]["verdict"]
            yield condition["claim"], condition["of"], selected, condition["bound"], values, verdict


def side(mean, bound, verdict):
    least, most = bound
    within = (least is None or mean > least) and (most is None or mean < most)
    return verdict if verdict == "undecided" else f"{verdict}, {'as' if within == (verdict == 'holds') else 'NOT'} ours"


def compare(theirs, ours):
    """Prints a line a quantity; how many differ by more than chance."""
    print(f"{'claim':<6}{'quantity':<57}{'program':>21}{'ours':>21}{'z':>7}  verdict")
    error = lambda sample: sample.std(ddof=1) / math.sqrt(len(sample))
    z, p = [], []
    for claim, table, selected, bound, values, verdict in theirs:
        name = " ".join([table, *(f"{column}={wanted}" for column, wanted in selected.items())])
        own = ours[table](**selected)
        own = own[np.isfinite(own)]
        if len(own) < 2:
            sys.exit(f"{claim} {name}: fewer than two of ours did not diverge")
        z.append((own.mean() - values.mean()) / math.hypot(error(own), error(values)))
        p.append(stats.ttest_ind(own, values).pvalue)
        both = "".join(f"{sample.mean():>11.4g} ± {error(sample):<7.2g}" for sample in (values, own))
        print(f"{claim:<6}{name:<57}{both}{z[-1]:>7.2f}  {side(own.mean(), bound, verdict)}")
    # Holm: the smallest p against LEVEL / n, the next against LEVEL / (n - 1), until one is too large.
    n = len(p)
    n_apart = np.logical_and.accumulate(np.sort(p) < LEVEL / np.arange(n, 0, -1)).sum()
    print(f"{n} quantities, {np.sum(np.abs(z) > 2)} of them more than two standard errors apart, {n_apart} further than")
    print(f"chance allows at {LEVEL:.0%}: the smallest p is {min(p):.2g}, and would have to be below {LEVEL / n:.2g}")
    return n_apart


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--outputs", type=Path, default="outputs", help="where fig1, fig2, fig6 and fig7 are published")
    parser.add_argument("--data", type=Path, default="data", help="where mnist/ has the IDX files")
    parser.add_argument("--seeds", type=int, default=10, help="feed-forward networks of each kind (default 10)")
    parser.add_argument("--recurrent-seeds", type=int, default=6, help="recurrent networks of each kind (default 6)")
    parser.add_argument("--stream", type=int, default=2408, help="of random numbers (default 2408)")
    options = parser.parse_args()
    # A run that diverges is a result.
    np.seterr(all="ignore")
    coefficients, theirs = tuned(), []
    # Before minutes of training, which what is missing here would waste.
    for name, about in CLAIMS.items():
        theirs += program_quantities(options.outputs / name, *about, coefficients)
    data = Data(options.data, options.stream)
    ours = our_quantities(our_networks(data, coefficients, options.seeds, options.recurrent_seeds))
    return 1 if compare(theirs, ours) else 0


if __name__ == "__main__":
    sys.exit(main())
