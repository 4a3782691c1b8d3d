"""The processes that are compared, and what their time is."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from worker import HERE

OURS = "ojaflow"

ONE_THREAD = {
    **dict.fromkeys(["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"], "1"),
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}
ANYWHERE = {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": "", "PYTHONDONTWRITEBYTECODE": "1"}


class Side:
    """A process that answers requests, one at a time; bound to the cores that `cores` names."""

    def __init__(self, title, command, cores, n_seeds=1, one_thread=True):
        self.title, self.n_seeds = title, n_seeds
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **ANYWHERE, **(ONE_THREAD if one_thread else {})},
            # Inherited before any library counts cores and starts threads for them.
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
        self.runs_on = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.title}: ended without an answer, exit status {self.process.wait()}")
        return line.strip()

    def send(self, *words):
        print(*words, file=self.process.stdin, flush=True)

    def ask(self, *words):
        """Seconds."""
        self.send(*words)
        return float(self.answer())

    def processor_seconds(self):
        """Of all threads so far; exact while the process waits for a request."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def timed(self, work, repeats):
        """Wall and processor seconds of one piece of the work."""
        before = self.processor_seconds()
        wall = self.ask("run", work.name, repeats)
        processor = (self.processor_seconds() - before) / repeats
        pieces = work.pieces * (self.n_seeds if work.of_seeds else 1)
        return wall / pieces, processor / pieces

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def start_all(executable, folder, core, n_seeds, without):
    """ojaflow and every peer that can be had, each on `core`; and why others cannot."""
    sides, missing = [Side(OURS, [executable, "serve", folder], {core})], []

    def python(title, library, script, variant, n_seeds=1):
        if library in without:
            missing.append(f"{title}: left out, --without {library}")
        elif find_spec(library) is None:
            missing.append(f"{title}: not installed; what pip said stands above, and benches/README.md what helps")
        else:
            sides.append(Side(title, [sys.executable, HERE / script, folder, variant], {core}, n_seeds))

    python("PyTorch, by hand", "torch", "torch_peers.py", "by-hand")
    python("PyTorch, autograd", "torch", "torch_peers.py", "autograd")
    python("JAX, scan", "jax", "jax_peers.py", "scan")
    python("JAX, vmap over seeds", "jax", "jax_peers.py", "vmap", n_seeds)
    for title, options in [("Eigen", []), ("Eigen, -ffast-math", ["-ffast-math"])]:
        if "eigen" in without:
            missing.append(f"{title}: left out, --without eigen")
            continue
        program, reason = compiled(folder, options)
        if program:
            sides.append(Side(title, [program, folder], {core}))
        else:
            missing.append(f"{title}: {reason}")
    return sides, missing


def compiled(folder, options):
    """The program of `eigen_peer.cpp`, or None and why there is none."""
    compiler = os.environ.get("CXX") or next(filter(shutil.which, ["c++", "g++", "clang++"]), None)
    if compiler is None:
        return None, "there is no C++ compiler; CXX can name one"
    # The wheel keeps its headers beside Python's packages.
    wheels = sorted(Path(sys.prefix).glob("lib/python3*/site-packages/cmeel.prefix/include/eigen3"))
    headers = next((path for path in [*wheels, Path("/usr/include/eigen3")] if path.exists()), None)
    if headers is None:
        return None, "no headers of Eigen, neither the package cmeel-eigen nor in /usr/include/eigen3"
    program = Path(folder).parent / "-".join(["eigen", *(option.strip("-") for option in options)])
    command = [compiler, "-std=c++17", "-O3", "-march=native", "-DNDEBUG", *options, "-isystem", headers]
    made = subprocess.run([*command, HERE / "eigen_peer.cpp", "-o", program], capture_output=True, text=True)
    return (program, None) if made.returncode == 0 else (None, f"{compiler} failed: {made.stderr.strip()[-500:]}")
