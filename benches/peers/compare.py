"""Does the same work with ojaflow and its peers, by turns on one core, and prints ratios; then whole experiments on all cores.

First every side does every piece of work once from the same start, and has to end at the same numbers; only then is anything
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
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import experiments
import report
import sides as processes
import tables
import worker
import works as catalogue

ROOT = worker.HERE.parent.parent
# Work is repeated until a request takes about so long, which is long beside the clock, the pipes and the scheduler.
SECONDS_A_REQUEST = 0.2


def built(name, *command):
    """The executable that `cargo COMMAND` makes of the target `name`."""
    command = ["cargo", *command, "--message-format=json"]
    messages = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    for message in map(json.loads, messages):
        if message["reason"] == "compiler-artifact" and message["target"]["name"] == name and message["executable"]:
            return message["executable"]
    sys.exit(f"cargo built no {name}")


def benchmark(name):
    return built(name, "bench", "--profile", "dev", "--bench", name, "--no-run")


def prepare_eigen(inputs, works):
    """What the C++ program reads: images as plain numbers, and a line a work."""
    x, labels = (array[0] for array in inputs.training([0], inputs.setting["online"]["steps"]))
    for name, (x, labels) in {"train": (x, labels), "test": worker.images("t10k")}.items():
        x.astype("<f4").tofile(inputs.folder / f"{name}.images.f32")
        labels.astype("<u4").tofile(inputs.folder / f"{name}.labels.u32")
    lines = []
    for work in works:
        if work.name in catalogue.TAKES["Eigen"]:
            network, theta = work.name.split("/")[1], {}
            start = inputs.file(f"online/{network}/{worker.EVALUATED}")
            if work.kind == "online":
                start, theta = inputs.file(f"{network}.forward"), inputs.rule(work.name)[1]
            coefficients = theta.get("gradient", 0), theta.get("oja", 0)
            lines.append(" ".join(map(str, [work.name, start.name, inputs.beta, *coefficients, *inputs.networks[network]])))
    (inputs.folder / "eigen.txt").write_text("\n".join(lines) + "\n")


def check_all(inputs, sides, works, n_images):
    """How far each peer is from ours, by work and side."""
    for work in works:
        sides[0].ask("prepare", work.name)
    return {
        f"{work.name}, {side.title}": float(f"{catalogue.check(inputs, side, work, n_images):.3g}")
        for work in works
        for side in work.takers(sides[1:])
    }


def measure(sides, works, rounds):
    """{(work, title): [(wall, processor seconds), one a round]}."""
    repeats = {}
    for work in works:
        for side in work.takers(sides):
            side.ask("run", work.name, 1)
            repeats[work, side.title] = max(1, round(SECONDS_A_REQUEST / side.ask("run", work.name, 1)))
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


def machine(instructions):
    model = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    words = re.sub(r"\(\w+\)|@.*|\b(cpu|processor|\d+-core)\b", "", (model[1] if model else "unknown").lower())
    return "-".join([*re.findall(r"[a-z0-9]+", words), instructions, str(os.cpu_count()), "cores"])


def arguments():
    parser = argparse.ArgumentParser(prog="benches/peers/run", description="ojaflow and its peers side by side.")
    parser.add_argument("--rounds", type=int, default=5, help="0: no single pieces of work")
    parser.add_argument("--core", type=int, help="on which everything but experiments runs; default: the last one")
    parser.add_argument("--without", choices=["torch", "jax", "eigen"], action="append", default=[])
    parser.add_argument("--only", metavar="WORDS", help="only works whose name has this in it: `online/5-layers`, `episode`")
    parser.add_argument("--experiments", nargs="*", choices=list(experiments.EXPERIMENTS), metavar="NAME",
                        help=f"whole experiments on all cores, all or some of: {', '.join(experiments.EXPERIMENTS)}")
    parser.add_argument("--seeds", type=int, default=20, help="of an experiment; fewer for a quick try")
    parser.add_argument("--forms", action="store_true", help="tries every form of an experiment in JAX, and takes the fastest")
    parser.add_argument("--save", action="store_true",
                        help="measures floors too, keeps all in benches/runs/DATE-MACHINE and writes the tables in the READMEs")
    options = parser.parse_args()
    if options.rounds < 0 or not 1 <= options.seeds <= 20:
        parser.error("--rounds: at least 0; --seeds: 1 to 20")
    if options.save and (options.only or not options.rounds):
        parser.error("--save keeps whole runs: neither --only nor --rounds 0 go with it")
    if options.experiments == []:
        options.experiments = list(experiments.EXPERIMENTS)
    return options


def main():
    options = arguments()
    if not Path("/proc/self/schedstat").exists():
        sys.exit("processor times and the choice of a core are Linux's: this comparison runs nowhere else")
    executable, cores = benchmark("peers"), os.sched_getaffinity(0)
    core = max(cores) if options.core is None else options.core
    folder = Path(sys.prefix).parent / "inputs"
    subprocess.run([executable, "export", folder], check=True)
    inputs, n_images = worker.Inputs(folder), len(worker.images("t10k")[1])
    works = [work for work in catalogue.all_works(inputs, n_images) if (options.only or "") in work.name]
    prepare_eigen(inputs, works)

    sides, missing = processes.start_all(executable, folder, core, inputs.seeds, options.without)
    instructions, versions = sides[0].runs_on, sorted({side.runs_on for side in sides[1:]})
    name, command = machine(instructions), " ".join(["benches/peers/run", *sys.argv[1:]])
    lines = [f"$ {command}", f"{name}, core {core}: {', '.join([f'ojaflow ({instructions})', *versions])}", *missing]
    print(*lines, sep="\n", flush=True)
    facts = {"command": command, "machine": name, "instructions": instructions, "versions": versions}

    def say(text):
        lines.append(text)
        print(text, flush=True)

    if options.rounds:
        deviations = check_all(inputs, sides, works, n_images)
        if deviations:
            say(f"same numbers: every side's agree with ours, the worst to {max(deviations.values()):.1e} of the largest")
        load = [os.getloadavg()[0]]
        entries = report.summary(measure(sides, works, options.rounds))
        load.append(os.getloadavg()[0])
        share = median(e["median_processor"] / e["median_wall"] for e in entries)
        say(
            f"load {load[0]:.1f} before and {load[1]:.1f} after, this comparison's own 1 included, on {os.cpu_count()} cores; "
            f"the sides had their core {100 * share:.0f} % of the time"
        )
        say("\n" + report.text(entries))
        facts |= {"load": load, "largest_deviation": deviations, "measured": entries}
    for side in sides:
        side.close()

    target = ROOT / "benches" / "runs" / f"{datetime.date.today()}-{name}"

    def keep():
        """What there is so far: an experiment may end the comparison."""
        if options.save:
            target.mkdir(parents=True, exist_ok=True)
            (target / "peers.txt").write_text("\n".join(lines) + "\n")
            (target / "peers.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n")

    keep()
    if options.experiments:
        executables = executable, built("ojaflow", "build", "--bin", "ojaflow")
        with_jax = "jax" not in options.without and find_spec("jax") is not None
        facts["experiments"] = []
        for chosen in options.experiments:
            arguments_of_run = (chosen, executables, inputs, cores, options.seeds, with_jax, options.forms)
            facts["experiments"].append(experiments.run(*arguments_of_run))
            keep()
        say("\n" + report.experiments_text(facts["experiments"]))
        keep()
    if options.save:
        floors = subprocess.run(
            [benchmark("kernels"), "--json", target / "kernels.json"],
            check=True, stdout=subprocess.PIPE, text=True, preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        ).stdout  # fmt: skip
        (target / "kernels.txt").write_text(floors)
        tables.write(target)


if __name__ == "__main__":
    main()
