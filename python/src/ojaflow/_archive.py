"""Archives: verified by the program, then unpacked into a folder that goes when nobody holds it any more."""

import contextlib
import hashlib
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from ._errors import MissingLibrary, OjaflowError
from ._extras import available
from ._program import call

DIGEST = re.compile(r"sha256 of the tar: ([0-9a-f]{64})")
CHUNK = 1 << 20


def unpack(file: Path) -> tuple[Path, tempfile.TemporaryDirectory[str]]:
    """The published folder in an archive, and what holds it.

    Raises:
        OjaflowError: it is not an archive, or is damaged; or it changed while it was unpacked.
        MissingLibrary: nothing is here that reads Zstandard.
    """
    # The path comes last, and may begin with a dash.
    said = call(["verify", "--", str(file)])
    digest = DIGEST.search(said)
    if digest is None:
        raise OjaflowError(f"`ojaflow verify {file}` gave no digest: {said.strip()}")
    keep = tempfile.TemporaryDirectory(prefix="ojaflow-archive-", ignore_cleanup_errors=True)
    tar = Path(keep.name) / "archive.tar"
    found = hashlib.sha256()
    with decompressed(file) as source, tar.open("wb") as target:
        while chunk := source.read(CHUNK):
            found.update(chunk)
            target.write(chunk)
    # What was verified is what is unpacked, whatever happened to the file in between.
    if found.hexdigest() != digest[1]:
        raise OjaflowError(f"{file} changed while it was opened")
    with tarfile.open(tar) as archive:
        if hasattr(tarfile, "data_filter"):
            archive.extractall(keep.name, filter="data")
        else:
            archive.extractall(keep.name)
    tar.unlink()
    [bag] = Path(keep.name).iterdir()
    return bag / "data" / "outputs" / bag.name, keep


@contextlib.contextmanager
def decompressed(file: Path) -> Iterator[BinaryIO]:
    """The tar in an archive, by whatever is at hand: Python 3.14, pyarrow, `zstandard`, or the program `zstd`."""
    if (standard := available("compression.zstd")) is not None:
        with standard.open(file, "rb") as source:
            yield source
    elif (pyarrow := available("pyarrow")) is not None:
        with pyarrow.input_stream(str(file), compression="zstd") as source:
            yield source
    elif (zstandard := available("zstandard")) is not None:
        with zstandard.open(file, "rb") as source:
            yield source
    elif (command := shutil.which("zstd")) is not None:
        with subprocess.Popen([command, "-dcq", "--", str(file)], stdout=subprocess.PIPE) as process:
            yield cast("BinaryIO", cast(Any, process.stdout))
        if process.returncode != 0:
            raise OjaflowError(f"zstd could not read {file}")
    else:
        raise MissingLibrary("opening an archive needs pyarrow (or Python 3.14, or the program zstd)", "arrow")
