"""README's sample output, made again by the snippets that stand beside it.

`python tests/reference/readme.py`, from the project's root after `ojaflow pipeline fig4`, compares to the last digit and
exits with 1 where README says something else: .ci/run does so. test_readme.py runs the same snippets on a smaller run, whose
numbers are others, and compares everything but the numbers.
"""

import contextlib
import difflib
import doctest
import io
import json
import re
import sys
from pathlib import Path

import duckdb

README = Path(__file__).resolve().parents[2] / "README.md"
# Of each kind, how many there are: a sample that is not found is not checked.
SAMPLES = {"duckdb": 1, "python": 1, "reproduce": 1}


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)


def duckdb_sample(block):
    """`$ duckdb -init FILE`, a query after `D ` that ends with a semicolon, and what is printed of it."""
    found = re.fullmatch(r"\$ duckdb -init (\S+)\nD (.*?;)\n(.*)", block, re.DOTALL)
    assert found, f"README's console is not a call of DuckDB with one query:\n{block}"
    views, query, printed = found.groups()
    with duckdb.connect() as connection:
        connection.execute(Path(views).read_text())
        return printed, str(connection.sql(query))


class Recorder(doctest.OutputChecker):
    """Keeps what is wanted and what is got, and leaves the comparison to whoever asked."""

    def __init__(self):
        self.seen = []

    def check_output(self, want, got, optionflags):
        self.seen.append((want, got))
        return True


def python_sample(block):
    recorder = Recorder()
    runner = doctest.DocTestRunner(checker=recorder, verbose=False)
    test = doctest.DocTestParser().get_doctest(block, {}, "README", str(README), 0)
    # A snippet that raises fails here, whatever it was to print.
    with contextlib.redirect_stderr(io.StringIO()):
        assert runner.run(test).failed == 0, block
    assert any(want for want, _ in recorder.seen), f"README's snippet prints nothing:\n{block}"
    return "".join(want for want, _ in recorder.seen), "".join(got for _, got in recorder.seen)


def reproduce_sample(block):
    """The last line of `reproduce`: every table and every figure of Figure 4 is compared."""
    printed = block.splitlines()[-1]
    manifest = json.loads(Path("outputs/fig4/manifest.json").read_text())
    n = len(manifest["tables"]) + len(manifest["figures"])
    return printed, f"{n} identical, 0 within tolerance, 0 with the same values, 0 different"


def samples():
    """(name, what README prints, what its snippet prints here), of all of them."""
    found = [("duckdb", *duckdb_sample(block)) for block in blocks("console")]
    found += [("python", *python_sample(block)) for block in blocks("python")]
    found += [("reproduce", *reproduce_sample(block)) for block in blocks("text") if " identical, " in block]
    counts = {name: sum(sample[0] == name for sample in found) for name in SAMPLES}
    assert counts == SAMPLES, f"README has {counts} samples, not {SAMPLES}"
    return found


def lines(text):
    """Of spaces at the end, editors think what they like."""
    return [line.rstrip() for line in text.strip("\n").splitlines()]


def main():
    wrong = 0
    for name, printed, found in samples():
        difference = list(difflib.unified_diff(lines(printed), lines(found), "README.md", f"what {name} prints", lineterm=""))
        print("\n".join(difference) or f"{name}: as README says")
        wrong += bool(difference)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
