"""Every published bootstrap table recomputed with numpy, on resamples drawn from streams.py.

What a stage computes is read from the manifest's parameters; how, from the contract: resamples of runs, the same at every x
and for every series; percentile interval with linear interpolation between order statistics; diverged runs at chance
where the stage says so, else left out.
"""

import functools

import numpy as np
import pandas as pd
import pytest
from streams import Stream

TOLERANCE = 1e-12


@functools.cache
def resamples(seed, n_runs, n_resamples):
    stream = Stream(seed, "bootstrap", 0)
    return np.array([[stream.below(n_runs) for _ in range(n_runs)] for _ in range(n_resamples)])


def holds(column, wanted):
    wanted = wanted if isinstance(wanted, list) else [wanted]
    return column.isin(wanted)


class Stage:
    def __init__(self, published, task):
        self.parameters = task["material"]["parameters"]
        names = list(dict.fromkeys(read["role"] for read in task["material"]["inputs"]))
        self.of = published.frame(names[0])
        self.runs = published.frame(names[1] if len(names) > 1 else names[0])
        self.keys, self.over = self.parameters["keys"], self.parameters["over"]
        axes = [axis for axis, _ in published.manifest["axes"]]
        self.conditions = [key for key in self.keys if key in axes and key in self.runs]
        for name, wanted in self.parameters["where"].items():
            self.of = self.of[holds(self.of[name], wanted)]
            if name in self.conditions:
                self.runs = self.runs[holds(self.runs[name], wanted)]
        if "cell" in self.keys:
            # Of the coefficients that tuning left, a summary is about those that it picked.
            self.of, self.runs = self.of[self.of["cell"] == 1], self.runs[self.runs["cell"] == 1]
            self.keys = [key for key in self.keys if key != "cell"]
            self.conditions = [key for key in self.conditions if key != "cell"]
        self.seeds = sorted(set(self.runs[self.over]))

    def series(self):
        """{values of the keys: one number per seed, NaN where a run has none}."""
        found = {}
        for row in self.of.to_dict("records"):
            values = found.setdefault(tuple(row[key] for key in self.keys), np.full(len(self.seeds), np.nan))
            values[self.seeds.index(row[self.over])] = row[self.parameters["value"]]
        self.fill(found)
        return found

    def fill(self, found):
        """Diverged runs count as a number from then on, or as missing, but in either case there is a row for them."""
        filling = self.parameters["when_diverged"]
        others = [key for key in self.keys if key not in self.conditions]
        measured = {tuple(key[self.keys.index(name)] for name in others) for key in found}
        for run in self.runs[self.runs["status"] == "diverged"].to_dict("records"):
            for point in measured:
                cells = dict(zip(others, point)) | {name: run[name] for name in self.conditions}
                if cells.get("step", np.inf) >= run["diverged_at_step"]:
                    key = tuple(cells[name] for name in self.keys)
                    values = found.setdefault(key, np.full(len(self.seeds), np.nan))
                    values[self.seeds.index(run[self.over])] = np.nan if filling == "missing" else filling

    def diverged(self, key):
        """The runs of a measurement's condition that had diverged by its step."""
        cells = dict(zip(self.keys, key))
        runs = self.runs[self.runs["status"] == "diverged"]
        for name in self.conditions:
            if name in cells:
                runs = runs[runs[name] == cells[name]]
        return set(runs[runs["diverged_at_step"] <= cells.get("step", np.inf)]["run_id"])

    def expected(self):
        """[(group, estimate, ci_low, ci_high, n_runs, n_diverged)]"""
        points = {}
        reduced = set(self.parameters["mean_over"])
        for key, values in self.series().items():
            cells = dict(zip(self.keys, key))
            remaining = tuple((name, cells[name]) for name in self.keys if name not in reduced)
            points.setdefault(remaining, []).append((key, values))
        # Each run's mean over the reduced columns; NaN if it lacks one of them.
        means = {remaining: np.mean([values for _, values in members], axis=0) for remaining, members in points.items()}
        diverged = {remaining: [self.diverged(members[-1][0])] for remaining, members in points.items()}
        statistic = self.parameters["statistic"]
        kind, argument = (statistic, None) if isinstance(statistic, str) else next(iter(statistic.items()))
        inner = {"mean": [], "spread": argument}.get(kind, [argument and argument["column"]] if kind in ("difference", "ratio") else None)
        groups = {}
        for remaining, values in means.items():
            group = tuple((name, cell) for name, cell in remaining if name not in inner)
            groups.setdefault(group, []).append((dict(remaining), values, diverged[remaining]))
        for group, members in groups.items():
            row = self.statistic(kind, argument, members)
            n_diverged = len(set().union(*(runs for _, _, lists in members for runs in lists)))
            if row is not None:
                yield dict(group), *row, n_diverged
            elif n_diverged > 0:
                yield dict(group), np.nan, np.nan, np.nan, 0, n_diverged

    def statistic(self, kind, argument, members):
        chosen = resamples(self.parameters["seed"], len(self.seeds), self.parameters["resamples"])
        member = lambda cell: next((values for cells, values, _ in members if cells[argument["column"]] == cell), None)
        if kind == "mean":
            (_, values, _), = members
            arrays, of = [values], lambda means: means[0]
        elif kind == "difference":
            a, b = member(argument["of"]), member(argument["minus"])
            if a is None or b is None:
                return None
            arrays, of = [a - b], lambda means: means[0]
        elif kind == "ratio":
            a, b = member(argument["of"]), member(argument["over"])
            if a is None or b is None:
                return None
            arrays, of = [a, b], lambda means: means[0] / means[1]
        else:
            arrays = [values for _, values, _ in members]
            of = lambda means: means.max(axis=0) / means.min(axis=0)
        arrays = np.array(arrays)
        # A run counts where it has every number that the statistic needs.
        complete = np.isfinite(arrays).all(axis=0)
        if not complete.any():
            return None
        arrays[:, ~complete] = np.nan
        estimate = of(np.nanmean(arrays, axis=1))
        drawn = arrays[:, chosen]
        empty = np.isnan(drawn[0]).all(axis=1)
        resampled = of(np.nanmean(drawn[:, ~empty], axis=2))
        tail = 100 * (1 - self.parameters["level"]) / 2
        low, high = np.percentile(resampled, [tail, 100 - tail], method="linear")
        # With one run there is no interval.
        present = len(self.seeds) > 1 if kind in ("ratio", "spread") else complete.sum() > 1
        low, high = (low, high) if present else (np.nan, np.nan)
        return estimate, low, high, int(complete.sum())


@pytest.mark.stages("bootstrap")
def test_bootstrap_tables(published):
    compared = 0
    for stage in published.stages("bootstrap"):
        (task,) = stage["tasks"]
        calculation = Stage(published, task)
        table = published.frame(stage["name"])
        columns = [name for name in table.columns if name not in ("mean", "ci_low", "ci_high", "n_runs", "n_diverged")]
        rows = {tuple(row[name] for name in columns): row for row in table.to_dict("records")}
        assert len(rows) == len(table)
        seen = set()
        for group, mean, low, high, n_runs, n_diverged in calculation.expected():
            key = tuple(group[name] for name in columns)
            seen.add(key)
            row = rows[key]
            found = np.array([row["mean"], row["ci_low"], row["ci_high"]], dtype=float)
            scale = max(1.0, abs(mean)) if abs(mean) > 0.01 else abs(mean) + 1e-12
            np.testing.assert_allclose(found, [mean, low, high], rtol=1e-10, atol=TOLERANCE * scale, err_msg=f"{stage['name']} {key}")
            assert (row["n_runs"], row["n_diverged"]) == (n_runs, n_diverged), (stage["name"], key)
            compared += 1
        assert seen == rows.keys(), stage["name"]
    print(f"{compared} intervals")
    assert compared > 0


def test_diverged_runs_enter_at_chance_or_not_at_all(divergence):
    n_diverged = sum(run["status"] == "diverged" for run in divergence.runs.values())
    assert n_diverged > 0
    accuracy = divergence.frame("accuracy")
    last = accuracy[(accuracy["rule"] == "edge") & (accuracy["step"] == 400)].iloc[0]
    evaluations = divergence.frame("train_evaluations")
    alive = evaluations[(evaluations["rule"] == "edge") & (evaluations["step"] == 400)]["accuracy"]
    assert (last["n_runs"], last["n_diverged"]) == (5, n_diverged)
    assert last["mean"] == pytest.approx((alive.sum() + 0.1 * n_diverged) / 5, rel=1e-12)
    norms = divergence.frame("update_norms")
    assert set(norms[(norms["rule"] == "edge") & (norms["step"] == 400)]["n_runs"]) == {5 - n_diverged}
