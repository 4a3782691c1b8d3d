"""Writes the tables of speed in benches/README.md from a saved run, between markers: no number there is typed.

    benches/tables [FOLDER]     from a folder of benches/runs; the newest that is complete if left out
    benches/tables --check      writes nothing, and fails if the tables are not those of the newest
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
RUNS = ROOT / "benches" / "runs"
NEEDED = ("peers.json", "kernels.json")
# Sides in the order of the columns; who is missing from a run has none.
SIDES = ["JAX, scan", "JAX, vmap over seeds", "Eigen", "Eigen, -ffast-math", "PyTorch, by hand", "PyTorch, autograd"]
# What `--bench kernels` calls the works that stand beside their floors.
FLOORS = {
    "online/5-layers/bp": "5 layers, BP",
    "online/5-layers/bp_oja": "5 layers, BP+Oja",
    "online/5-layers/fa": "5 layers, FA",
    "online/5-layers/fa_oja": "5 layers, FA+Oja",
    "online/5-layers/rule_9": "5 layers, rule (9)",
    "online/10-layers/bp": "10 layers, BP",
    "online/10-layers/bp_oja": "10 layers, BP+Oja",
    "online/10-layers/fa": "10 layers, FA",
    "online/10-layers/fa_oja": "10 layers, FA+Oja",
    "online/10-layers/rule_9": "10 layers, rule (9)",
    "recurrent/bptt": "recurrent, BPTT",
    "recurrent/bptt_oja": "recurrent, BPTT+Oja",
    "evaluation/5-layers": "evaluation of 10000 images, 5 layers",
    "evaluation/10-layers": "evaluation of 10000 images, 10 layers",
    "evaluation/recurrent": "evaluation of 10000 images, recurrent",
    "episode/bp": "meta-episode, 5 layers, BP",
    "episode/rule_9": "meta-episode, 5 layers, rule (9)",
}


def newest():
    complete = [run for run in sorted(RUNS.iterdir()) if all((run / name).exists() for name in NEEDED)]
    return complete[-1] if complete else sys.exit(f"no folder of {RUNS.relative_to(ROOT)} has {' and '.join(NEEDED)}")


def write(run):
    for file, text in filled(run).items():
        file.write_text(text)


def check():
    run = newest()
    for file, text in filled(run).items():
        if file.read_text() != text:
            name = file.relative_to(ROOT)
            sys.exit(f"{name}: its tables are not those of {run.relative_to(ROOT)}; `benches/tables` writes them")


def filled(run):
    """The README beside it with the tables of a run."""
    peers, kernels = (json.loads((run / name).read_text()) for name in NEEDED)
    parts = {
        ROOT / "benches" / "README.md": {
            "machine": f"`{run.relative_to(ROOT)}`, {where(peers, kernels)}",
            "works": works(peers, kernels, list(FLOORS), SIDES),
            "experiments": experiments(peers),
            "floors": floors(kernels),
        },
    }
    return {file: with_parts(file, contents) for file, contents in parts.items()}


def with_parts(file, contents):
    """Its text with something else between `<!-- NAME -->` and `<!-- end of NAME -->`."""
    text = file.read_text()
    for name, content in contents.items():
        first, last = f"<!-- {name} -->", f"<!-- end of {name} -->"
        if text.count(first) != 1 or text.count(last) != 1:
            sys.exit(f"{file.relative_to(ROOT)}: {first} and {last} have to be there once each")
        before, rest = text.split(first)
        _, after = rest.split(last)
        text = f"{before}{first}\n\n{content}\n\n{last}{after}"
    return text


def where(peers, kernels):
    limits = kernels["limits"]
    giga = lambda name: f"{limits[name] / 1e9:.0f}"
    return (
        f"one core of {peers['machine']}: {2e-9 * limits['multiply_adds']:.0f} GFLOP/s; from its second-level cache "
        f"{giga('read')} GB/s, to it {giga('written')} GB/s, {giga('updated')} GB/s each way at once. "
        f"Load {peers['load'][0]:.1f} before and {peers['load'][1]:.1f} after. {', '.join(peers['versions'])}."
    )


def row(cells):
    return "| " + " | ".join(cells) + " |"


def works(peers, kernels, names, sides):
    """Ours, the floor, how many floors that is, and how many times as long each side takes."""
    found = {(e["work"], e["side"]): e for e in peers["measured"]}
    floors = {r["name"]: r["floor"] for section in kernels["sections"] for r in section["rows"]}
    sides = [side for side in sides if any((name, side) in found for name in names)]
    lines = [row(["", "ojaflow", "floor", "× floor", *sides]), row(["---"] + ["---:"] * (3 + len(sides)))]
    for name in (name for name in names if (name, "ojaflow") in found):
        ours = found[name, "ojaflow"]
        unit, factor = ("µs", 1e6) if ours["group"].startswith("µs") else ("ms", 1e3)
        floor = floors[FLOORS[name]] * factor
        time = ours["median_processor"]
        ratios = [f"{found[name, side]['median_ratio']:.1f} ×" if (name, side) in found else "" for side in sides]
        title = f"{ours['group'].split(' ', 1)[1]}, {ours['title']}"
        lines.append(row([title, f"{time:.1f} {unit}", f"{floor:.1f} {unit}", f"{time / floor:.1f}", *ratios]))
    return "\n".join(lines)


def experiments(peers):
    if "experiments" not in peers:
        return "Whole experiments were not part of this run."
    lines = [row(["whole experiment, all cores", "side", "time", "/ the library's", "compiling, apart"])]
    lines.append(row(["---", "---", "---:", "---:", "---:"]))
    for experiment in peers["experiments"]:
        for k, side in enumerate(experiment["sides"]):
            compiling = f"{side['preparation']:.0f} s" if side["preparation"] >= 0.5 else ""
            title = experiment["title"] if k == 0 else ""
            lines.append(row([title, side["title"], f"{side['seconds']:.1f} s", f"{side['ratio']:.2f} ×", compiling]))
    return "\n".join(lines)


def floors(kernels):
    lines = []
    for section in kernels["sections"]:
        factor, unit = {"microseconds": (1e6, "µs"), "milliseconds": (1e3, "ms")}[section["unit"]]
        lines.append(row([f"{section['title']}, {unit}", "least", "floor", "× floor"]) + "\n" + row(["---"] + ["---:"] * 3))
        for r in section["rows"]:
            times = [f"{factor * r[name]:.2f}" for name in ("least", "floor")]
            lines[-1] += "\n" + row([r["name"], *times, f"{r['times_floor']:.2f}"])
    return "\n\n".join(lines)


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            write(newest())
        case ["--check"]:
            check()
        case [folder]:
            write(Path(folder).resolve())
