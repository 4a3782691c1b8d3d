"""What the peers have in common: what they start from, and how they answer `compare.py`.

A peer is a process of its own, so that no library's threads or caches meet another's, and stays alive: it compiles and
warms up once. It answers one line to each line of standard input:

    prepare WORK                seconds that it took to prepare or compile the work, once
    run WORK REPEATS [FILE]     seconds a run, of all its seeds if it works on several; writes the numbers that the last run
                                ended at, in the order of the exported ones

Only the work itself lies between the two looks at the clock. `works.py` says which works there are.
"""

import gzip
import json
import sys
import time
from functools import cache
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
MNIST = HERE.parent.parent / "data" / "mnist"
# The rules after which a chain and the recurrent network are evaluated.
EVALUATED, EVALUATED_IN_TIME = "bp_oja", "bptt_oja"


def read_idx(name):
    """Unsigned bytes behind a big-endian header: 00 00 08, number of dimensions, dimensions."""
    content = gzip.decompress((MNIST / name).read_bytes())
    n_dimensions = content[3]
    shape = np.frombuffer(content, ">u4", n_dimensions, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * n_dimensions).reshape(shape)


@cache
def images(part):
    """x = pixel / 255 in single precision, n × 784, and labels; `part` is "train" or "t10k"."""
    pixels = read_idx(f"{part}-images-idx3-ubyte.gz")
    x = pixels.reshape(len(pixels), -1).astype(np.float32) / np.float32(255)
    return x, read_idx(f"{part}-labels-idx1-ubyte.gz").astype(np.int64)


class Inputs:
    """What `ours/export.rs` exported."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.setting = json.loads((HERE / "setting.json").read_text())
        self.seeds, self.beta, self.networks = (self.setting[k] for k in ("seeds", "softplus_beta", "networks"))
        self.orders = np.fromfile(self.folder / "order.u32", "<u4").reshape(self.seeds, -1)

    def rule(self, work):
        """Feedback and coefficients of an online work or an episode."""
        kind, *_, rule = work.split("/")
        found = self.setting[kind]["rules"][rule]
        return found["feedback"], found["terms"]

    def file(self, name):
        return self.folder / f"{name.replace('/', '.')}.f32"

    def forward_shapes(self, network):
        sizes = self.networks[network]
        return [(n_out, n_in) for n_in, n_out in zip(sizes, sizes[1:])]

    def feedback_shapes(self, network):
        return [shape[::-1] for shape in self.forward_shapes(network)]

    def recurrent_shapes(self):
        n_in, n_hidden, n_out = self.setting["recurrent"]["sizes"]
        return [(n_hidden, n_in), (n_hidden, n_hidden), (n_out, n_hidden)]

    def matrices(self, file, shapes, seeds):
        """By matrix, for these seeds, seeds × shape."""
        ends = np.cumsum([rows * columns for rows, columns in shapes])
        flat = np.fromfile(file, "<f4").reshape(-1, ends[-1])[list(seeds)]
        parts = np.split(flat, ends[:-1], axis=1)
        return [np.ascontiguousarray(part.reshape(-1, *shape)) for part, shape in zip(parts, shapes)]

    def start(self, network, feedback, seeds):
        """W of each layer (n_out × n_in), and B of each (n_in × n_out) where feedback has weights of its own."""
        forward = self.matrices(self.file(f"{network}.forward"), self.forward_shapes(network), seeds)
        if feedback == "symmetric":
            return forward, []
        return forward, self.matrices(self.file(f"{network}.feedback"), self.feedback_shapes(network), seeds)

    def training(self, seeds, steps):
        """The first images of these seeds' trainings, seeds × steps × 784, and labels."""
        x, labels = images("train")
        orders = self.orders[list(seeds), :steps]
        return x[orders], labels[orders]

    def tasks(self, n):
        """For each of n episodes (images, labels) of what is learned, and of what is asked; (W, B) at the start."""
        episode = self.setting["episode"]
        network, n_training = episode["network"], episode["classes"] * episode["training"]
        n_samples = n_training + episode["classes"] * episode["query"]
        drawn = np.fromfile(self.folder / "tasks.u32", "<u4").reshape(-1, n_samples, 2)[:n].astype(np.int64)
        x, labels = images("train")[0][drawn[..., 1]], drawn[..., 0]
        shapes = self.forward_shapes(network) + self.feedback_shapes(network)
        weights = self.matrices(self.file("tasks"), shapes, range(n))
        n_layers = len(shapes) // 2
        learned, asked = np.s_[:, :n_training], np.s_[:, n_training:]
        return (x[learned], labels[learned]), (x[asked], labels[asked]), (weights[:n_layers], weights[n_layers:])

    def tuned(self):
        """The coefficients of the figures, by setting and rule."""
        return json.loads((self.folder / "tuned.json").read_text())


def serve(title, prepare):
    """`prepare(work)` returns a function that does the work and returns, when all is computed, what it ends at; and one that
    makes the numbers of that.
    """
    prepared = {}
    print(title, flush=True)
    for line in sys.stdin:
        match line.split():
            case ["prepare", work]:
                start = time.perf_counter()
                prepared[work] = prepare(work)
                print(time.perf_counter() - start, flush=True)
            case ["run", work, repeats, *files]:
                run, numbers = prepared[work]
                seconds, result = timed(run, int(repeats))
                for file in files:
                    np.asarray(numbers(result), "<f4").tofile(file)
                print(seconds, flush=True)
            case _:
                sys.exit(f"no such request: {line}")


def timed(work, repeats):
    start = time.perf_counter()
    for _ in range(repeats):
        result = work()
    return (time.perf_counter() - start) / repeats, result


def flat(matrices):
    """Matrices, seeds first, as they are exported: seed by seed."""
    matrices = [np.asarray(matrix, "<f4") for matrix in matrices]
    return np.concatenate([matrix.reshape(len(matrix), -1) for matrix in matrices], axis=1)
