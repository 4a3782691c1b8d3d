"""What the peers have in common: what they start from, and how they answer `compare.py`.

A peer is a process of its own, so that no library's threads or caches meet another's, and stays alive: it compiles and
warms up once. It answers one line to each line of standard input:

    train NETWORK RULE REPEATS      seconds a training of `steps` online steps, of all its seeds if it trains several
    evaluate NETWORK REPEATS        seconds an evaluation of the test images, accuracy, loss
    weights NETWORK RULE FILE       trains once and writes the weights that it ends at, in the order of the exported ones

Only the work itself lies between the two looks at the clock; how it is prepared is each peer's own affair, once.
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
# The rule after which a network is evaluated.
EVALUATED = "bp_oja"


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
    """What `ours.rs` exported."""

    def __init__(self, folder):
        self.folder = Path(folder)
        setting = json.loads((HERE / "setting.json").read_text())
        self.steps, self.seeds, self.beta = setting["steps"], setting["seeds"], setting["softplus_beta"]
        self.networks, self.rules = setting["networks"], setting["rules"]
        self.orders = np.fromfile(self.folder / "order.u32", "<u4").reshape(self.seeds, self.steps)

    def file(self, network, state):
        return self.folder / f"{network}.{state}.f32"

    def weights(self, network, state, n_seeds=1):
        """By layer, of the first seeds, n_seeds × n_out × n_in; `state` is "initial", or the rule after whose training."""
        sizes = self.networks[network]
        flat = np.fromfile(self.file(network, state), "<f4")
        shapes = [(n_out, n_in) for n_in, n_out in zip(sizes, sizes[1:])]
        ends = np.cumsum([n_out * n_in for n_out, n_in in shapes])
        flat = flat.reshape(-1, ends[-1])[:n_seeds]
        parts = np.split(flat, ends[:-1], axis=1)
        return [np.ascontiguousarray(part.reshape(-1, *shape)) for part, shape in zip(parts, shapes)]

    def training(self, seed):
        """The images of a training in their order, steps × 784, and labels."""
        x, labels = images("train")
        return x[self.orders[seed]], labels[self.orders[seed]]


def serve(title, peer):
    """`peer.training(network, rule)` returns a function that trains from the start and returns, when all is computed, the
    weights by layer as the peer holds them; `peer.published` turns these into n_out × n_in, behind seeds if there are
    several; `peer.evaluation(network)` returns a function that returns accuracy and loss.
    """
    training, evaluation = cache(peer.training), cache(peer.evaluation)
    print(title, flush=True)
    for line in sys.stdin:
        match line.split():
            case ["train", network, rule, repeats]:
                seconds, _ = timed(training(network, rule), int(repeats))
                print(seconds, flush=True)
            case ["evaluate", network, repeats]:
                seconds, (accuracy, loss) = timed(evaluation(network), int(repeats))
                print(seconds, float(accuracy), float(loss), flush=True)
            case ["weights", network, rule, file]:
                weights = [np.asarray(w, dtype="<f4") for w in peer.published(training(network, rule)())]
                np.concatenate([w.reshape(peer.n_seeds, -1) for w in weights], axis=1).tofile(file)
                print("written", flush=True)
            case _:
                sys.exit(f"no such request: {line}")


def timed(work, repeats):
    start = time.perf_counter()
    for _ in range(repeats):
        result = work()
    return (time.perf_counter() - start) / repeats, result
