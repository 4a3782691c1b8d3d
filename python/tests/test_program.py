"""Which program is called, how, and what becomes of what it says."""

import io
import json
import os
import signal
import subprocess
import sys
import sysconfig
import textwrap
import time
from pathlib import Path

import ojaflow
import pytest
from ojaflow._progress import Progress


def test_named_by_the_environment(stand_in):
    path = stand_in("exit 0")
    assert ojaflow.program() == path


def test_named_and_not_there(monkeypatch, tmp_path):
    monkeypatch.setenv("OJAFLOW_PROGRAM", str(tmp_path / "none"))
    with pytest.raises(ojaflow.OjaflowError, match="OJAFLOW_PROGRAM names .*none"):
        ojaflow.program()


def test_beside_this_python_before_the_path(monkeypatch, tmp_path):
    monkeypatch.delenv("OJAFLOW_PROGRAM", raising=False)
    scripts, on_path = tmp_path / "scripts", tmp_path / "path"
    for folder in (scripts, on_path):
        folder.mkdir()
        (folder / "ojaflow").write_text("#!/bin/sh\n")
        (folder / "ojaflow").chmod(0o755)
    monkeypatch.setenv("PATH", str(on_path))
    monkeypatch.setattr(sysconfig, "get_path", lambda name, scheme=None: str(scripts))
    assert ojaflow.program() == scripts / "ojaflow"
    (scripts / "ojaflow").unlink()
    assert ojaflow.program() == on_path / "ojaflow"
    (on_path / "ojaflow").unlink()
    with pytest.raises(ojaflow.OjaflowError, match="pip install ojaflow"):
        ojaflow.program()


def test_the_command_line(stand_in, tmp_path, monkeypatch):
    """What is a value stays one, whatever it begins with."""
    folder = tmp_path / "published"
    folder.mkdir()
    manifest = {"format": 1, "pipeline": "x", "title": "t", "tables": [], "figures": [], "overrides": [], "includes": []}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    record = json.dumps({"pipelines": [{"folder": "other"}, {"folder": "published"}]})
    stand_in(f'for one in "$@"; do printf "%s\\n" "$one" >> "{tmp_path}/said"; done; echo \'{record}\'')
    monkeypatch.chdir(tmp_path)
    run = ojaflow.run(
        "-own.toml",
        set={"matrix.seed.count": 2, "name": "-x"},
        jobs=3,
        outputs=Path("-o"),
        data="d",
        publish_as="-as",
        to="train",
        force=True,
        decide=[20, 40],
        quiet=True,
    )
    assert run.path == folder
    said = (tmp_path / "said").read_text().splitlines()
    assert [one for one in said if not one.startswith("--events=")] == [
        "pipeline",
        "--outputs=-o",
        "--data=d",
        "--set=matrix.seed.count=2",
        '--set=name="-x"',
        "--jobs=3",
        "--as=-as",
        "--to=train",
        "--force=",
        "--decide",
        "--looks=20,40",
        "--json",
        "--",
        "-own.toml",
    ]


def test_an_error_has_the_program_s_message_and_status(stand_in):
    stand_in("echo 'what was wrong' >&2; exit 2")
    with pytest.raises(ojaflow.OjaflowError, match="^what was wrong$") as caught:
        ojaflow.run("fig4")
    assert caught.value.status == 2


def test_a_program_that_dies_in_silence(stand_in):
    stand_in("kill -9 $$")
    with pytest.raises(ojaflow.OjaflowError, match="ended by signal 9"):
        ojaflow.run("fig4")


def test_much_is_said_and_nobody_waits(stand_in):
    stand_in("head -c 1000000 /dev/zero | tr '\\0' x >&2; exit 1")
    with pytest.raises(ojaflow.OjaflowError, match="^x{1000000}$"):
        ojaflow.run("fig4")


def test_interrupted_alone(stand_in, tmp_path):
    """A notebook interrupts its own process: the program is told to stop, and waited for."""
    path = stand_in(
        f"trap 'sleep 0.2; echo stopped > {tmp_path}/end; exit 130' INT; touch {tmp_path}/begun; while :; do sleep 0.05; done"
    )
    script = textwrap.dedent("""
        import ojaflow
        try:
            ojaflow.run("fig4")
        except KeyboardInterrupt:
            print("interrupted", flush=True)
    """)
    environment = {**os.environ, "OJAFLOW_PROGRAM": str(path)}
    python = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=environment, text=True)
    while not (tmp_path / "begun").exists():
        assert python.poll() is None
    # It may not know yet that the program has begun.
    time.sleep(0.3)
    # To this process and not to its group.
    python.send_signal(signal.SIGINT)
    out, _ = python.communicate(timeout=20)
    assert out == "interrupted\n"
    assert (tmp_path / "end").read_text() == "stopped\n"


EVENTS = [
    {"event": "planned", "pipeline": "fig4", "run": 2, "replayed": 1, "cached": 5, "seconds": 200.0},
    {"event": "started", "stage": "train", "task": "train rule = bp", "key": "0"},
    {"event": "finished", "stage": "train", "task": "train rule = bp", "key": "0", "seconds": 1.0},
    {"event": "measured", "stage": "train", "task": "train rule = no", "key": "0", "what": "accuracy", "step": 250, "value": 0.7},
    {"event": "notice", "text": "a result was damaged"},
    {"event": "failed", "stage": "train", "task": "train rule = bp_oja", "key": "1", "error": "…"},
    {"event": "finished", "stage": "train", "task": "train rule = none", "key": "2", "seconds": 1.0},
]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_without_a_terminal():
    stream = io.StringIO()
    progress = Progress(stream, quiet=False)
    for event in EVENTS:
        progress.happened(event)
        progress.draw()
    assert stream.getvalue().splitlines() == [
        "fig4: 3 tasks to run, 5 in the store, about 3 min",
        "  a result was damaged",
        "  train rule = bp_oja failed",
    ]


def test_progress_on_a_terminal():
    stream = Terminal()
    progress = Progress(stream, quiet=False)
    for event in EVENTS:
        progress.happened(event)
        progress.draw()
    progress.clear()
    drawn = stream.getvalue().split("\r")
    assert "1 of 3 tasks  train rule = bp" in drawn[2]
    assert "1 of 3 tasks  train rule = no: accuracy 0.700 at 250" in drawn[3]
    assert "2 of 3 tasks  train rule = none" in drawn[-3]
    assert drawn[-1] == "" and drawn[-2].strip() == "", "the line is wiped out at the end"


def test_progress_on_a_narrow_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    stream = Terminal()
    progress = Progress(stream, quiet=False)
    for event in EVENTS:
        progress.happened(event)
        progress.draw()
    drawn = [line for line in stream.getvalue().split("\r") if line.startswith("█")]
    assert drawn and all(len(line.split("\n")[0].rstrip()) <= 49 for line in drawn)


def test_progress_of_a_run(here, capsys):
    ojaflow.run("smoke", set={"matrix.seed.count": 1})
    first = capsys.readouterr().err.splitlines()
    assert first[0].startswith("smoke~") and " to run, " in first[0]
    ojaflow.run("smoke", set={"matrix.seed.count": 1})
    assert capsys.readouterr().err.splitlines()[0].endswith("all of it is in the store")
    ojaflow.run("smoke", set={"matrix.seed.count": 1}, quiet=True)
    assert capsys.readouterr() == ("", "")
