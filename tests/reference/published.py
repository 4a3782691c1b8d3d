"""Published folders as arrays: the only way in which these tests see the program."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq


@dataclass(frozen=True)
class Published:
    """One folder `outputs/<pipeline>`."""

    folder: Path

    @cached_property
    def manifest(self):
        return json.loads((self.folder / "manifest.json").read_text())

    @cached_property
    def tables(self):
        """The manifest's entries by table name."""
        return {table["name"]: table for table in self.manifest["tables"]}

    def files(self, table):
        """The Parquet files of a table: one, or one a run."""
        path = self.folder / self.tables[table]["path"]
        return sorted(path.glob("*.parquet")) if path.is_dir() else [path]

    def frame(self, table):
        """A table that is one file, categories as plain strings."""
        frame = pq.read_table(self.files(table)[0]).to_pandas()
        categories = frame.select_dtypes("category").columns
        return frame.astype(dict.fromkeys(categories, object))

    def stages(self, kind):
        return [stage for stage in self.manifest["stages"] if stage["kind"] == kind]

    def vectors(self, table, column):
        """All rows of a table that is a folder, as dictionaries; `column` as a float64 array."""
        for file in self.files(table):
            content = pq.read_table(file)
            lists = content[column].combine_chunks()
            values, ends = lists.flatten().to_numpy(), lists.value_lengths().to_numpy().cumsum()
            rows = content.drop_columns([column]).to_pylist()
            if not rows:
                continue
            for row, vector in zip(rows, np.split(values, ends[:-1]), strict=True):
                yield row | {column: vector.astype(np.float64)}

    @property
    def images(self):
        """{split: (pixels n × n_pixels in 0 … 255, labels n)}, in the order of `sample_index`."""
        return read_images(self.tables["data"]["digest"], self.files("data")[0])

    @cached_property
    def runs(self):
        """{run_id: row of `train_runs`}."""
        return {row["run_id"]: row for row in self.frame("train_runs").to_dict("records")}

    @cached_property
    def order(self):
        """{run_id: index of the training sample of each step}."""
        samples = self.frame("train_samples")
        orders = {}
        for run_id, rows in samples.groupby("run_id", sort=False):
            assert np.array_equal(rows["step"], np.arange(1, len(rows) + 1))
            orders[run_id] = rows["sample_index"].to_numpy()
        return orders

    @cached_property
    def weights(self):
        """{(run_id, step, matrix, layer): n_out × n_in}."""
        return {
            (row["run_id"], row["step"], row["matrix"], row["layer"]): row["weights"].reshape(row["n_out"], row["n_in"])
            for row in self.vectors("train_weights", "weights")
        }

    @cached_property
    def state(self):
        """{(run_id, step, layer): {(term, name): what its neurons remember}}."""
        found = {}
        for row in self.frame("train_state").to_dict("records"):
            values = np.asarray(row["values"], dtype=np.float64)
            assert len(values) == row["n_values"]
            found.setdefault((row["run_id"], row["step"], row["layer"]), {})[row["term"], row["name"]] = values
        return found

    @cached_property
    def coefficients(self):
        """{run_id: {term: its coefficient in each layer}}; from `train_runs`, per-layer ones from their own table."""
        table = self.frame("train_coefficients")
        found = {}
        for run_id, run in self.runs.items():
            terms = {term: run[term] for term in TERMS}
            for term, value in terms.items():
                if pd.isna(value):
                    rows = table[(table["run_id"] == run_id) & (table["term"] == term)].sort_values("layer")
                    assert list(rows["layer"]) == list(range(1, run["n_layers"] + 1))
                    terms[term] = rows["coefficient"].to_numpy()
                else:
                    terms[term] = np.full(run["n_layers"], value)
            found[run_id] = terms
        return found


IMAGES = {}


def read_images(digest, path):
    """Many pipelines publish the same images: they are held once."""
    if digest not in IMAGES:
        table = pq.read_table(path)
        split = np.array(table["split"].to_pylist())
        index, label = table["sample_index"].to_numpy(), table["label"].to_numpy()
        pixels = table["pixels"].combine_chunks().flatten().to_numpy().reshape(len(table), -1)
        halves = {}
        for name in ("train", "test"):
            rows = np.flatnonzero(split == name)
            assert np.array_equal(index[rows], np.arange(len(rows)))
            halves[name] = pixels[rows], label[rows].astype(int)
        IMAGES[digest] = halves
    return IMAGES[digest]


TERMS = ["gradient", "error_hebb", "oja", "decay", "hebb", "feedback_hebb", "feedback_decay"]
