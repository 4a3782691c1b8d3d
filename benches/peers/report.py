"""What was measured, as entries that are kept and as text that is printed."""

from statistics import median

from sides import OURS


def summary(found):
    """One entry a work and side: the rounds in µs or ms, medians, least, and ratios to ours."""
    entries = []
    for (work, title), times in found.items():
        factor = 1e6 if work.group.startswith("µs") else 1e3
        wall, processor = ([round(factor * t, 4) for t in column] for column in zip(*times))
        ratios = [peer / ours for (_, peer), (_, ours) in zip(times, found[work, OURS])]
        entries.append(
            {
                "work": work.name,
                "title": work.title,
                "group": work.group,
                "side": title,
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
    """Works down, sides across; a side that has none of these works is left out."""
    sides = list(dict.fromkeys(e["side"] for e in entries))
    titles = list(dict.fromkeys(e["title"] for e in entries))
    cells = {(e["title"], e["side"]): show(e) for e in entries}
    lines = [heading, " " * 22 + "".join(side.rjust(24) for side in sides)]
    lines += [title.ljust(22) + "".join(cells.get((title, side), "").rjust(24) for side in sides) for title in titles]
    return "\n".join(lines)


def text(entries):
    n_rounds = len(entries[0]["rounds_wall"])
    blocks = []
    for group in dict.fromkeys(e["group"] for e in entries):
        chosen = [e for e in entries if e["group"] == group]
        for kind in ("processor", "wall"):
            heading = f"{group}, {kind} time: median of {n_rounds} rounds (least)"
            blocks.append(table(heading, chosen, lambda e: f"{e[f'median_{kind}']:.1f} ({e[f'least_{kind}']:.1f})"))
        heading = f"{group.split(' ', 1)[1]}: processor time / ojaflow's in the same round, median (least … largest)"
        show = lambda e: f"{e['median_ratio']:.2f} ({e['least_ratio']:.1f} … {e['largest_ratio']:.1f})"
        blocks.append(table(heading, chosen, show))
    return "\n\n".join(blocks)


def experiments_text(found):
    lines = ["whole experiments on all cores, seconds of wall time; compiling apart"]
    for experiment in found:
        lines.append(f"\n{experiment['title']}: {experiment['agreement']}")
        for side in experiment["sides"]:
            compiled = f", compiled in {side['preparation']:.1f} s" if side["preparation"] >= 0.1 else ""
            ratio = f" ({side['ratio']:.2f} ×)" if side["ratio"] != 1 else ""
            lines.append(f"  {side['title']:52} {side['seconds']:7.1f} s{ratio}{compiled}")
        if "tried" in experiment:
            tried = "; ".join(f"{title} {seconds:.1f} s" for title, seconds in experiment["tried"].items())
            lines.append(f"  forms of JAX on a few seeds: {tried}")
    return "\n".join(lines)
