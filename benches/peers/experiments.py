"""Whole experiments on all cores: what a user waits for, ours and JAX's.

JAX runs in processes of its own, one a core, each with a part of the seeds (of the rules, for meta-learning), or in one process
that may use all cores. Each compiles first; then all start together, and the time is that until the last has answered. The
form is the one that was found fastest; `--forms` tries each on a few seeds again, and takes the fastest then.
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

import numpy as np
from sides import OURS, Side
from worker import HERE

ROOT = HERE.parent.parent
# Title, and the pipeline that is the same and more; of one figure, as the next tells nothing new.
EXPERIMENTS = {
    "figure-1": ("Figure 1: BP and BP+Oja, 5 and 10 layers, evaluated every 250 of 5,000 samples", "fig1"),
    "figure-7": ("Figure 7: BPTT and BPTT+Oja, evaluated every 250 of 5,000 samples", None),
    "episodes": ("Meta-episodes of BP and of rule (9), side by side", None),
}
N_CONDITIONS = {"figure-1": 4, "figure-7": 2}
# Of an accuracy; of losses, accuracies and coefficients of meta-learning, relative to the largest.
TOLERANCE = {"figure-1": 2e-3, "figure-7": 2e-3, "episodes": 1e-2}
# For so many evaluations every training has to agree, the first of them before anything is learned. Then some part from each
# other, as learning enlarges what one rounding changes: those of 10 layers by BP after some 3,000 samples, those by BPTT, near
# the rate at which it diverges, after fewer than 250. Most have to agree to the end even so, and the means of a condition have
# to be within so many standard errors of their differences, as what chaos adds is nobody's advantage.
N_EARLY = {"figure-1": 8, "figure-7": 1}
STANDARD_ERRORS = 4


@dataclass(frozen=True)
class Form:
    """A way to run an experiment in JAX."""

    title: str
    variant: str
    one_process: bool = False


# The first is what was found fastest.
FORMS_OF_FIGURES = [
    Form("scan, a process a core", "scan"),
    Form("vmap over seeds, a process a core", "vmap"),
    Form("scan, one process on all cores", "scan", one_process=True),
    Form("vmap over seeds, one process on all cores", "vmap", one_process=True),
]
FORMS = {
    "figure-1": FORMS_OF_FIGURES,
    "figure-7": FORMS_OF_FIGURES,
    "episodes": [
        Form("scan, a process a core", "scan"),
        Form("scan, one process on all cores", "scan", one_process=True),
    ],
}


def run(name, executables, inputs, cores, n_seeds, with_jax, try_forms):
    executable, program = executables
    folder, setting = inputs.folder, inputs.setting
    title, pipeline = EXPERIMENTS[name]
    count = f"{setting['experiments']['episodes']} episodes each" if name == "episodes" else f"{n_seeds} seeds"
    n_shares = len(setting["episode"]["rules"]) if name == "episodes" else n_seeds
    say(f"{name}: ojaflow")
    numbers, _, seconds = by_ours(f"{name}/{n_seeds}", executable, folder, cores)
    sides = [{"title": f"{OURS}, the library", "seconds": seconds, "preparation": 0.0}]
    agreement = "nothing to agree with"
    if with_jax:
        tried = times_of_forms(name, folder, cores, n_shares) if try_forms else {}
        form = min(tried, key=tried.get) if tried else FORMS[name][0]
        say(f"{name}: JAX, {form.title}")
        theirs, compiled, seconds = by_jax(form, f"{name}/{n_seeds}", folder, cores, n_shares)
        agreement = agree(name, setting, numbers, theirs)
        sides.append({"title": f"JAX, {form.title}", "seconds": seconds, "preparation": compiled})
    if pipeline:
        say(f"{name}: ojaflow pipeline {pipeline}")
        seconds = by_pipeline(program, pipeline, cores, n_seeds)
        sides.append({"title": f"ojaflow pipeline {pipeline}, from an empty store", "seconds": seconds, "preparation": 0.0})
    for side in sides:
        side["ratio"] = round(side["seconds"] / sides[0]["seconds"], 4)
    found = {"name": name, "title": f"{title}, {count}", "agreement": agreement, "sides": sides}
    if with_jax and tried:
        found["tried"] = {form.title: round(seconds, 2) for form, seconds in tried.items()}
    return found


def say(what):
    print(f"\r{what:78}", end="", file=sys.stderr, flush=True)


def by_ours(work, executable, folder, cores):
    side = Side(OURS, [executable, "serve", folder], cores, one_thread=False)
    return together([side], work, folder)


def by_jax(form, work, folder, cores, n_shares):
    """On no more cores than there are seeds, or rules, to go round."""
    shares = [cores] if form.one_process else [{core} for core in sorted(cores)[:n_shares]]
    command = [sys.executable, HERE / "jax_peers.py", folder, form.variant]
    sides = [
        Side(f"JAX, {form.title}", [*command, index, len(shares)], share, one_thread=not form.one_process)
        for index, share in enumerate(shares)
    ]
    return together(sides, work, folder)


def together(sides, work, folder):
    """Numbers of each side, and seconds to prepare and to run."""
    start = time.perf_counter()
    for side in sides:
        side.send("prepare", work)
    for side in sides:
        side.answer()
    prepared = time.perf_counter()
    files = [folder / f"share-{index}.f32" for index in range(len(sides))]
    for side, file in zip(sides, files):
        side.send("run", work, 1, file)
    for side in sides:
        side.answer()
    end = time.perf_counter()
    for side in sides:
        side.close()
    return [np.fromfile(file, "<f4") for file in files], prepared - start, end - prepared


def times_of_forms(name, folder, cores, n_shares):
    """With as few seeds as give each core one and `vmap` something to do."""
    few, times = min(n_shares, 2 * len(cores)), {}
    for form in FORMS[name]:
        say(f"{name}: trying JAX, {form.title}")
        times[form] = by_jax(form, f"{name}/{few}", folder, cores, few)[2]
    return times


def agree(name, setting, ours, theirs):
    """In words, how far the numbers are from each other; ends the comparison if that is too far."""
    tolerance, experiments = TOLERANCE[name], setting["experiments"]
    n_steps = experiments["samples"] // experiments["every"] + 1
    if name == "episodes":
        deviation = episodes_apart(setting, ours[0], np.concatenate(theirs))
        found = f"losses, accuracies and coefficients of all episodes agree to {deviation:.1e} of the largest of each"
    else:
        # Conditions, seeds, evaluations: each process has some of the seeds.
        joined = lambda arrays: np.concatenate([a.reshape(N_CONDITIONS[name], -1, n_steps) for a in arrays], axis=1)
        apart = joined(ours) - joined(theirs)
        deviation, whole = np.abs(apart[..., : N_EARLY[name]]).max(), np.abs(apart).max(axis=-1) <= tolerance
        # Conditions, evaluations.
        n = apart.shape[1]
        errors = apart.std(axis=1, ddof=1) / np.sqrt(n) if n > 1 else np.full(apart.mean(axis=1).shape, np.inf)
        excess = (np.abs(apart.mean(axis=1)) - tolerance / 2) / np.maximum(errors, 1e-12)
        found = (
            f"accuracies of every training agree to {deviation:.1e} at first ({N_EARLY[name]} of {n_steps} evaluations), those of "
            f"{whole.sum()} of {whole.size} trainings to the end; means of conditions differ by at most "
            f"{np.abs(apart.mean(axis=1)).max():.1e}"
        )
        if not (2 * whole.sum() > whole.size and excess.max() <= STANDARD_ERRORS):
            sys.exit(f"{name}: {found}; more than half have to agree to {tolerance:.0e}, and means but for what chaos adds")
    if not deviation <= tolerance:
        sys.exit(f"{name}: {found}; {tolerance:.0e} is asked")
    return f"{found} ({tolerance:.0e} is asked)"


def episodes_apart(setting, ours, theirs):
    """Of each rule's columns, loss, accuracy and coefficients, relative to the largest of the column."""
    deviations, first = [], 0
    for learning in setting["episode"]["rules"].values():
        columns = 2 + len(learning["terms"])
        end = first + setting["experiments"]["episodes"] * columns
        a, b = (array[first:end].reshape(-1, columns) for array in (ours, theirs))
        deviations.append((np.abs(a - b) / np.abs(a).max(axis=0)).max())
        first = end
    return np.max(deviations)


def by_pipeline(program, pipeline, cores, n_seeds):
    """As a user runs it: everything that is published included."""
    with tempfile.TemporaryDirectory() as outputs:
        command = [program, "pipeline", pipeline, "--set", f"matrix.seed.count={n_seeds}", "--quiet", "--outputs", outputs]
        start = time.perf_counter()
        bound = lambda: os.sched_setaffinity(0, cores)
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, preexec_fn=bound)
        return time.perf_counter() - start
