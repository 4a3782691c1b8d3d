"""The program: where it is, and what it says."""

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ._errors import OjaflowError
from ._progress import Progress

#: How long a program that was told to stop may take to put its work away.
PATIENCE = 30.0


def program() -> Path:
    """The program that runs pipelines.

    Looked for in this order: the file that the environment variable OJAFLOW_PROGRAM names, the script that was installed
    beside this Python, the PATH.

    Raises:
        OjaflowError: it is in none of these places, or OJAFLOW_PROGRAM names no file.
    """
    named = os.environ.get("OJAFLOW_PROGRAM")
    if named:
        path = Path(named)
        if not path.is_file():
            raise OjaflowError(f"OJAFLOW_PROGRAM names {path}, and there is no such file")
        return path.absolute()
    name = "ojaflow.exe" if os.name == "nt" else "ojaflow"
    # Where pip puts scripts: of this environment, or of the user (`pip install --user`).
    schemes = [sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user")]
    for scheme in schemes:
        path = Path(sysconfig.get_path("scripts", scheme)) / name
        if path.is_file() and os.access(path, os.X_OK):
            return path
    found = shutil.which("ojaflow")
    if found is None:
        raise OjaflowError(
            "the program `ojaflow` was not found beside this Python nor on the PATH; install it "
            "(`pip install ojaflow` or `cargo install`), or name it in the environment variable OJAFLOW_PROGRAM"
        )
    return Path(found)


def call(arguments: Sequence[str]) -> str:
    """What the program prints.

    Raises:
        OjaflowError: it did not succeed; with what it said.
    """
    done = subprocess.run([program(), *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode != 0:
        raise failure(done.returncode, done.stderr)
    return done.stdout.decode()


def carry_out(options: Sequence[str], operands: Sequence[str], quiet: bool) -> dict[str, Any]:
    """Runs a pipeline, shows how it goes on, and returns the record of what was published.

    Args:
        options: the command with its options.
        operands: what follows `--`, so that it is no option whatever it begins with.
        quiet: show nothing.

    Raises:
        OjaflowError: it did not succeed; with what the program said.
        KeyboardInterrupt: it was interrupted; the program has stopped, and goes on where it was when called again.
    """
    with tempfile.TemporaryDirectory(prefix="ojaflow-") as folder:
        events = Path(folder) / "events.jsonl"
        events.touch()
        command = [str(program()), *options, "--json", f"--events={events}", "--", *operands]
        # Files instead of pipes: however much the program says, nobody has to read at the same time.
        out, err = Path(folder) / "stdout", Path(folder) / "stderr"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)
        try:
            with Progress(sys.stderr, quiet).following(events):
                process.wait()
        except BaseException:
            stop(process)
            raise
        if process.returncode != 0:
            raise failure(process.returncode, err.read_bytes())
        record: dict[str, Any] = json.loads(out.read_bytes())
    return record


def stop(process: subprocess.Popen[bytes]) -> None:
    """Asks a program to stop, and waits until it has: it leaves nothing half done.

    On a terminal Ctrl-C has reached it already; a notebook interrupts its own process alone.
    """
    if process.poll() is None:
        process.send_signal(signal.SIGINT if os.name != "nt" else signal.SIGTERM)
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def failure(status: int, said: bytes) -> OjaflowError:
    message = said.decode(errors="replace").strip()
    if not message:
        ended = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        message = f"the program {ended} and said nothing"
    return OjaflowError(message, status)
