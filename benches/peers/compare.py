"""Trains the same networks on the same images with ojaflow and its peers, by turns on one core, and prints ratios.

First every side trains once from the same initial weights, and has to end at the same weights; only then is anything
timed. In each round every side does every piece of work, one after the other, the first of them a different one each
round: what disturbs the machine disturbs all alike. Ratios are taken within a round, then their median.

Processor time is what the kernel counts for a side's process between request and answer: on a quiet machine the wall
time, on a busy one what the wall time would be without the others' turns on the core (though not without their use of
caches and memory).
"""

import argparse
import datetime
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np
import worker

HERE = worker.HERE
ROOT = HERE.parent.parent

OURS = "ojaflow"
# Title, library, script, variant. An evaluation does not depend on how a network was trained: one variant does it.
PEERS = [
    ("PyTorch, by hand", "torch", "torch_peers.py", "by-hand"),
    ("PyTorch, autograd", "torch", "torch_peers.py", "autograd"),
    ("JAX, scan", "jax", "jax_peers.py", "scan"),
    ("JAX, vmap over seeds", "jax", "jax_peers.py", "vmap"),
]
EVALUATES = [OURS, "PyTorch, by hand", "JAX, scan"]
RULES = {"bp": "BP", "bp_oja": "BP+Oja"}
# What ojaflow set out to reach: rule, peer, how many times as fast.
TARGETS = [("bp_oja", "JAX, scan", 5), ("bp_oja", "PyTorch, by hand", 15), ("bp", "JAX, scan", 4)]
# Of the largest weight of each matrix. Single precision, sums in different orders, and hundreds of steps.
TOLERANCE = 1e-4
# Work is repeated until a request takes about so long, which is long beside the clock, the pipes and the scheduler.
SECONDS_A_REQUEST = 0.3

ONE_THREAD = {
    **dict.fromkeys(["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"], "1"),
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    "JAX_PLATFORMS": "cpu",
    "CUDA_VISIBLE_DEVICES": "",
}


@dataclass(frozen=True)
class Work:
    """Online steps by a rule, or an evaluation if `rule` is None."""

    network: str
    rule: str | None
    n_steps: int

    @property
    def request(self):
        return ("train", self.network, self.rule) if self.rule else ("evaluate", self.network)

    def takers(self, sides):
        return [side for side in sides if self.rule or side.title in EVALUATES]


class Side:
    """A process that answers requests, one at a time."""

    def __init__(self, title, command, n_seeds=1):
        self.title, self.n_seeds = title, n_seeds
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **ONE_THREAD}
        )
        self.runs_on = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.title}: ended without an answer, exit status {self.process.wait()}")
        return line.strip()

    def ask(self, *words):
        print(*words, file=self.process.stdin, flush=True)
        return self.answer().split()

    def processor_seconds(self):
        """Of all threads so far; exact while the process waits for a request."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def timed(self, work, repeats):
        """Wall and processor seconds of one evaluation, or of one step of one seed."""
        before = self.processor_seconds()
        wall = float(self.ask(*work.request, repeats)[0])
        processor = (self.processor_seconds() - before) / repeats
        pieces = work.n_steps * self.n_seeds
        return wall / pieces, processor / pieces

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def build():
    """The executable of `ours.rs`, as `cargo bench --profile dev` would run it."""
    command = ["cargo", "bench", "--profile", "dev", "--bench", "peers", "--no-run", "--message-format=json"]
    messages = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    for message in map(json.loads, messages):
        if message["reason"] == "compiler-artifact" and message["target"]["name"] == "peers":
            return message["executable"]
    sys.exit("cargo built no benchmark named peers")


def agreement(inputs, side, network, rule):
    """How far a peer's weights are from ours after all steps, relative to the largest weight: of the worst matrix."""
    side.ask("weights", network, rule, inputs.file(network, "peer"))
    starts, ours, theirs = (inputs.weights(network, state, side.n_seeds) for state in ("initial", rule, "peer"))
    worst = 0.0
    for layer, (start, a, b) in enumerate(zip(starts, ours, theirs), 1):
        scale = np.abs(a).max(axis=(1, 2))
        deviation = (np.abs(a - b).max(axis=(1, 2)) / scale).max()
        learned = (np.abs(a - start).max(axis=(1, 2)) / scale).min()
        # Not `>`: what is not a number has to fail too.
        if not deviation <= TOLERANCE:
            sys.exit(
                f"{side.title}: {network}, {RULES[rule]}: after {inputs.steps} steps layer {layer} is off by "
                f"{deviation:.1e} of its largest weight, more than {TOLERANCE:.0e}; nothing was timed"
            )
        if learned < 10 * TOLERANCE:
            sys.exit(f"{network}, {RULES[rule]}: layer {layer} hardly moved, so that weights agree says nothing")
        worst = max(worst, deviation)
    return worst


def check_evaluations(sides, network, n_images):
    ours = None
    for side in sides:
        _, accuracy, loss = map(float, side.ask("evaluate", network, 1))
        ours = ours or (accuracy, loss)
        # Two images may be so close to a tie that rounding decides.
        if not (abs(accuracy - ours[0]) <= 2.5 / n_images and abs(loss - ours[1]) <= TOLERANCE * ours[1]):
            sys.exit(f"{side.title}: {network}: accuracy {accuracy}, loss {loss}; ojaflow has {ours}; nothing was timed")


def measure(sides, works, rounds):
    """{(work, title): [(wall, processor seconds), one a round]}."""
    repeats = {}
    for work in works:
        for side in work.takers(sides):
            seconds = side.timed(work, 1)[1] * work.n_steps * side.n_seeds
            repeats[work, side.title] = max(1, round(SECONDS_A_REQUEST / seconds))
    found = {key: [] for key in repeats}
    for index in range(rounds):
        print(f"\rround {index + 1} of {rounds}", end="", file=sys.stderr, flush=True)
        for work in works:
            takers = work.takers(sides)
            first = index % len(takers)
            for side in takers[first:] + takers[:first]:
                key = work, side.title
                found[key].append(side.timed(work, repeats[key]))
    print(file=sys.stderr)
    return found


def summary(found):
    """One entry a work and side: the rounds in µs or ms, medians, least, and ratios to ours."""
    entries = []
    for (work, title), times in found.items():
        unit, factor = ("µs a step", 1e6) if work.rule else ("ms an evaluation", 1e3)
        wall, processor = ([round(factor * t, 4) for t in column] for column in zip(*times))
        ratios = [peer / ours for (_, peer), (_, ours) in zip(times, found[work, OURS])]
        entries.append(
            {
                "network": work.network,
                "rule": work.rule,
                "side": title,
                "unit": unit,
                "median_processor": median(processor),
                "least_processor": min(processor),
                "median_wall": median(wall),
                "least_wall": min(wall),
                "median_ratio": round(median(ratios), 4),
                "least_ratio": round(min(ratios), 4),
                "largest_ratio": round(max(ratios), 4),
                "rounds_processor": processor,
                "rounds_wall": wall,
            }
        )
    return entries


def table(heading, entries, show):
    """Sides down, works across."""
    sides = list(dict.fromkeys(e["side"] for e in entries))
    works = list(dict.fromkeys((e["network"], e["rule"]) for e in entries))
    cells = {(e["side"], e["network"], e["rule"]): show(e) for e in entries}
    names = [f"{network} {RULES[rule]}" if rule else network for network, rule in works]
    lines = [heading, " " * 22 + "".join(name.rjust(19) for name in names)]
    lines += [side.ljust(22) + "".join(cells[side, *work].rjust(19) for work in works) for side in sides]
    return "\n".join(lines)


def report(entries, n_images):
    n_rounds = len(entries[0]["rounds_wall"])
    blocks = []
    for what, chosen in [
        ("µs an online step", [e for e in entries if e["rule"]]),
        (f"ms an evaluation of {n_images:,} images", [e for e in entries if not e["rule"]]),
    ]:
        for kind in ("processor", "wall"):
            heading = f"{what}, {kind} time: median of {n_rounds} rounds (least)"
            show = lambda e: f"{e[f'median_{kind}']:.1f} ({e[f'least_{kind}']:.1f})"
            blocks.append(table(heading, chosen, show))
        blocks.append(
            table(
                f"{what.split(' ', 1)[1]}: processor time / ojaflow's in the same round, median (least … largest)",
                chosen,
                lambda e: f"{e['median_ratio']:.2f} ({e['least_ratio']:.1f} … {e['largest_ratio']:.1f})",
            )
        )
    verdicts = ["targets"]
    for rule, peer, factor in TARGETS:
        ratios = {e["network"]: e["median_ratio"] for e in entries if (e["rule"], e["side"]) == (rule, peer)}
        if ratios:
            verdict = "reached" if min(ratios.values()) >= factor else "not reached"
            found = ", ".join(f"{network} {ratio:.2f}" for network, ratio in ratios.items())
            verdicts.append(f"  {RULES[rule]} at least {factor} times as fast as {peer}: {found}: {verdict}")
    return "\n\n".join([*blocks, "\n".join(verdicts)])


def machine(instructions):
    model = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    words = re.sub(r"\(\w+\)|@.*|\b(cpu|processor|\d+-core)\b", "", (model[1] if model else "unknown").lower())
    return "-".join([*re.findall(r"[a-z0-9]+", words), instructions, str(os.cpu_count()), "cores"])


def main():
    parser = argparse.ArgumentParser(prog="benches/peers/run", description="ojaflow, PyTorch and JAX side by side.")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--core", type=int, help="on which everything runs; default: the last one")
    parser.add_argument("--without", choices=["torch", "jax"], action="append", default=[])
    parser.add_argument("--save", action="store_true", help="also writes benches/runs/DATE-MACHINE/peers.{txt,json}")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds: at least 1")
    if not Path("/proc/self/schedstat").exists():
        sys.exit("processor times and the choice of a core are Linux's: this comparison runs nowhere else")

    executable = build()
    core = max(os.sched_getaffinity(0)) if options.core is None else options.core
    # Inherited by every side, whose libraries then see one core and start no threads for others.
    os.sched_setaffinity(0, {core})
    folder = Path(sys.prefix).parent / "inputs"
    subprocess.run([executable, "export", folder], check=True)
    inputs = worker.Inputs(folder)

    sides, missing = [Side(OURS, [executable, "serve", folder])], {}
    for title, library, script, variant in PEERS:
        if library in options.without:
            missing[library] = f"{library} left out: --without {library}"
        elif find_spec(library) is None:
            missing[library] = f"{library} not installed: what pip said stands above, and benches/README.md what helps"
        else:
            n_seeds = inputs.seeds if variant == "vmap" else 1
            sides.append(Side(title, [sys.executable, HERE / script, variant, folder], n_seeds))
    instructions, versions = sides[0].runs_on, sorted({side.runs_on for side in sides[1:]})
    name, command = machine(instructions), " ".join(["benches/peers/run", *sys.argv[1:]])
    lines = [f"$ {command}", f"{name}, core {core}: {', '.join([f'ojaflow ({instructions})', *versions])}"]
    lines += missing.values()
    print(*lines, sep="\n", flush=True)

    n_images = len(worker.images("t10k")[1])
    works = [Work(network, rule, inputs.steps) for network in inputs.networks for rule in inputs.rules]
    evaluations = [Work(network, None, 1) for network in inputs.networks]
    deviations = {}
    for work in works:
        for side in sides[1:]:
            deviations[work.network, work.rule, side.title] = agreement(inputs, side, work.network, work.rule)
    for work in evaluations:
        check_evaluations(work.takers(sides), work.network, n_images)
    if deviations:
        lines.append(
            f"same numbers: after {inputs.steps} steps all weights agree to {max(deviations.values()):.1e} of the largest "
            f"of their matrix ({TOLERANCE:.0e} is asked), and so do accuracy and loss"
        )
        print(lines[-1], flush=True)

    load = [os.getloadavg()[0]]
    entries = summary(measure(sides, works + evaluations, options.rounds))
    load.append(os.getloadavg()[0])
    for side in sides:
        side.close()
    share = median(e["median_processor"] / e["median_wall"] for e in entries)
    lines.append(
        f"load {load[0]:.1f} before and {load[1]:.1f} after, this comparison's own 1 included, on {os.cpu_count()} cores; "
        f"the sides had their core {100 * share:.0f} % of the time"
    )
    print(lines[-1])
    text = report(entries, n_images)
    print("\n" + text)
    if options.save:
        target = ROOT / "benches" / "runs" / f"{datetime.date.today()}-{name}"
        target.mkdir(parents=True, exist_ok=True)
        (target / "peers.txt").write_text("\n".join(lines) + "\n\n" + text + "\n")
        facts = {
            "command": command,
            "machine": name,
            "instructions": instructions,
            "versions": versions,
            "load": load,
            "largest_deviation": {", ".join(key): float(f"{value:.3g}") for key, value in deviations.items()},
            "measured": entries,
        }
        (target / "peers.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
