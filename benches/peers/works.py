"""What is compared, and when two sides have done the same: every number is checked before anything is timed."""

import sys
from dataclasses import dataclass

import numpy as np

# Of the largest number of each matrix. Single precision, sums in different orders, and hundreds of steps.
TOLERANCE = 1e-4
# Of the largest component: a gradient through 250 steps enlarges what rounding does to each.
TOLERANCE_OF_GRADIENTS = 2e-3

RULES = {
    "bp": "BP",
    "bp_oja": "BP+Oja",
    "fa": "FA",
    "fa_oja": "FA+Oja",
    "rule_9": "rule (9)",
    "bptt": "BPTT",
    "bptt_oja": "BPTT+Oja",
}
# Rules that a peer has; who is not named has all. An evaluation does not depend on how a network was trained: one variant does.
PLAIN = ("online/5-layers/bp", "online/5-layers/bp_oja", "online/10-layers/bp", "online/10-layers/bp_oja")
TAKES = {
    "PyTorch, by hand": (*PLAIN, "evaluation/5-layers", "evaluation/10-layers"),
    "PyTorch, autograd": PLAIN,
    "Eigen": (*PLAIN, "evaluation/5-layers", "evaluation/10-layers"),
    "Eigen, -ffast-math": (*PLAIN, "evaluation/5-layers", "evaluation/10-layers"),
}


@dataclass(frozen=True)
class Work:
    """One piece of a request is what the table shows: a step of a training, an evaluation, an episode."""

    name: str
    title: str
    group: str
    pieces: int

    @property
    def kind(self):
        return self.name.split("/")[0]

    @property
    def of_seeds(self):
        """Whether a side that works on several seeds does so many pieces more."""
        return self.kind in ("online", "recurrent")

    def takers(self, sides):
        def takes(side):
            if side.title in TAKES:
                return self.name in TAKES[side.title]
            return self.kind != "evaluation" or "vmap" not in side.title

        return [side for side in sides if takes(side)]


def all_works(inputs, n_images):
    setting, works = inputs.setting, []
    for network in sorted(inputs.networks, key=lambda name: len(inputs.networks[name])):
        title = network.replace("-", " ")
        for rule in setting["online"]["rules"]:
            name = f"online/{network}/{rule}"
            works.append(Work(name, f"{title}, {RULES[rule]}", "µs an online step", setting["online"]["steps"]))
    for rule in setting["recurrent"]["rules"]:
        works.append(Work(f"recurrent/{rule}", RULES[rule], "µs a sample through time", setting["recurrent"]["steps"]))
    for network in sorted(inputs.networks, key=lambda name: len(inputs.networks[name])):
        group = f"ms an evaluation of {n_images:,} images"
        works.append(Work(f"evaluation/{network}", network.replace("-", " "), group, 1))
    works.append(Work("evaluation/recurrent", "recurrent", f"ms an evaluation of {n_images:,} images", 1))
    for rule in setting["episode"]["rules"]:
        works.append(Work(f"episode/{rule}", RULES[rule], "ms an episode of meta-learning", setting["episode"]["episodes"]))
    return works


def check(inputs, side, work, n_images):
    """How far a peer's numbers are from ours. Ends the comparison if that is too far."""
    file = inputs.file("peer")
    side.ask("prepare", work.name)
    side.ask("run", work.name, 1, file)
    checks = {"evaluation": check_evaluation, "episode": check_episodes}
    what, deviation, tolerance = checks.get(work.kind, check_weights)(inputs, side, work, file, n_images)
    # Not `>`: what is not a number has to fail too.
    if not deviation <= tolerance:
        sys.exit(f"{side.title}: {work.name}: {what} off by {deviation:.1e}, more than {tolerance:.0e}; nothing was timed")
    return deviation


def check_weights(inputs, side, work, file, _):
    """Every matrix, relative to its largest weight."""
    seeds, fixed = range(side.n_seeds), []
    if work.kind == "recurrent":
        moving = inputs.matrices(inputs.file("recurrent"), inputs.recurrent_shapes(), seeds)
    else:
        network, feedback = work.name.split("/")[1], inputs.rule(work.name)[0]
        moving, own = inputs.start(network, feedback, seeds)
        moving, fixed = (moving, own) if feedback == "random" else (moving + own, [])
    starts = moving + fixed
    shapes = [matrix.shape[1:] for matrix in starts]
    ours, theirs = inputs.matrices(inputs.file(work.name), shapes, seeds), inputs.matrices(file, shapes, seeds)
    worst, what = 0.0, "nothing"
    for number, (start, a, b) in enumerate(zip(starts, ours, theirs), 1):
        scale = np.abs(a).max(axis=(1, 2))
        deviation = (np.abs(a - b).max(axis=(1, 2)) / scale).max()
        moved = (np.abs(a - start).max(axis=(1, 2)) / scale).min()
        # A matrix that hardly moves would agree whatever was done to it.
        if number <= len(moving) and moved < 10 * TOLERANCE:
            sys.exit(f"{work.name}: matrix {number} hardly moved, so that it agrees says nothing")
        if not deviation <= worst:
            worst, what = deviation, f"matrix {number}"
    return what, worst, TOLERANCE


def check_evaluation(inputs, _, work, file, n_images):
    accuracy, loss = np.fromfile(inputs.file(work.name), "<f4")
    their_accuracy, their_loss = np.fromfile(file, "<f4")
    # Two images may be so close to a tie that rounding decides.
    if not abs(their_accuracy - accuracy) <= 2.5 / n_images:
        return "accuracy", abs(their_accuracy - accuracy), 2.5 / n_images
    return "loss", abs(their_loss / loss - 1), TOLERANCE


def check_episodes(inputs, _, work, file, __):
    """Loss relative to itself, and the size of each derivative relative to the largest of its episode."""
    n = inputs.setting["episode"]["episodes"]
    loss, accuracy, norm = np.fromfile(inputs.file(work.name), "<f4").reshape(n, 3).T
    rule = work.name.split("/")[1]
    gradients = np.fromfile(inputs.file(f"{rule}.gradients"), "<f4").reshape(-1, n)
    their_loss, their_accuracy, *theirs = np.fromfile(file, "<f4").reshape(n, -1).T
    if not np.abs(their_accuracy - accuracy).max() < 1e-6:
        return "accuracy", np.abs(their_accuracy - accuracy).max(), 1e-6
    if not np.abs(their_loss / loss - 1).max() <= TOLERANCE:
        return "loss", np.abs(their_loss / loss - 1).max(), TOLERANCE
    scale = np.abs(gradients).max(axis=0)
    deviation = (np.abs(np.abs(theirs) - gradients) / scale).max()
    norms = np.abs(np.linalg.norm(theirs, axis=0) / norm - 1).max()
    return "gradient", max(deviation, norms), TOLERANCE_OF_GRADIENTS
