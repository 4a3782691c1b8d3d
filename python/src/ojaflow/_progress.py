"""How a run shows that it goes on: one line that is drawn over, or a line now and then where that cannot be."""

import contextlib
import json
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

#: Seconds between two looks at what has happened.
PAUSE = 0.1
#: Seconds between two lines where none can be drawn over.
QUIET_TIME = 5.0
#: What a line may take at most: longer ones break, and a broken line cannot be drawn over.
WIDTH = 100
BAR = 24


class Progress:
    """Reads the program's events while they are written, and shows them.

    Args:
        stream: where to, outside of notebooks.
        quiet: nowhere.
    """

    def __init__(self, stream: TextIO, quiet: bool) -> None:
        # A notebook shows what goes to stderr as if it were an error.
        self.stream = sys.stdout if in_notebook() else stream
        self.quiet = quiet
        self.redraws = in_notebook() or bool(stream.isatty())
        self.tasks = 0
        self.finished = 0
        self.task = ""
        self.last = 0.0
        self.drawn = 0

    @contextlib.contextmanager
    def following(self, events: Path) -> Iterator[None]:
        """Shows meanwhile what is appended to a file."""
        if self.quiet:
            yield
            return
        over = threading.Event()
        watcher = threading.Thread(target=self.follow, args=(events, over), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()
            self.clear()

    def follow(self, events: Path, over: threading.Event) -> None:
        """The same until it is over."""
        with events.open(encoding="utf-8") as lines:
            rest = ""
            while True:
                # Asked before reading: what was written until then is read once more.
                last = over.wait(PAUSE)
                *whole, rest = (rest + lines.read()).split("\n")
                for line in whole:
                    self.happened(json.loads(line))
                if whole:
                    self.draw()
                if last:
                    return

    def happened(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "planned":
                title = event["pipeline"]
                self.tasks, self.finished = event["run"] + event["replayed"], 0
                if self.tasks:
                    about = f", about {seconds(event['seconds'])}" if event["seconds"] >= 1 else ""
                    self.say(f"{title}: {count(self.tasks)} to run, {event['cached']} in the store{about}")
                else:
                    self.say(f"{title}: all of it is in the store")
                self.last = time.monotonic()
                self.task = ""
            case "started":
                self.task = event["task"]
            case "finished" | "shared":
                self.finished += 1
                self.task = event["task"]
            case "measured":
                # What has no number, because it diverged, is null.
                value = "–" if event["value"] is None else f"{event['value']:.3f}"
                self.task = f"{event['task']}: {event['what']} {value} at {event['step']}"
            case "notice":
                self.say(f"  {event['text']}")
            case "failed":
                self.say(f"  {event['task']} failed")

    def draw(self) -> None:
        """Where it is now; once for all that happened at a time."""
        if not self.task:
            return
        done = f"{self.finished} of {count(self.tasks)}"
        if self.redraws:
            full = BAR * self.finished // max(self.tasks, 1)
            line = f"{'█' * full}{'░' * (BAR - full)}  {done}  {self.task}"[: self.width()]
            self.write(f"\r{line.ljust(self.drawn)}")
            self.drawn = len(line)
        elif time.monotonic() - self.last >= QUIET_TIME:
            self.last = time.monotonic()
            self.write(f"  {done}, last: {self.task}\n")

    def width(self) -> int:
        return WIDTH if in_notebook() else min(WIDTH, shutil.get_terminal_size().columns - 1)

    def say(self, text: str) -> None:
        self.clear()
        self.write(f"{text}\n")

    def clear(self) -> None:
        if self.drawn:
            self.write(f"\r{' ' * self.drawn}\r")
            self.drawn = 0

    def write(self, text: str) -> None:
        if self.quiet:
            return
        try:
            self.stream.write(text)
            self.stream.flush()
        except (OSError, ValueError):
            # Nobody looks any more (a closed pipe), which is no reason to stop.
            self.quiet = True


def in_notebook() -> bool:
    """Whether output goes to a page of Jupyter or marimo."""
    if "ipykernel" in sys.modules:
        ipython = sys.modules.get("IPython")
        shell = ipython.get_ipython() if ipython is not None else None
        return shell is not None and hasattr(shell, "kernel")
    marimo = sys.modules.get("marimo")
    return marimo is not None and bool(marimo.running_in_notebook())


def count(tasks: int) -> str:
    return "1 task" if tasks == 1 else f"{tasks} tasks"


def seconds(value: float) -> str:
    """`8 s`, `3 min`, `2 h`"""
    if value < 90:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 5400 else f"{value / 3600:.0f} h"
