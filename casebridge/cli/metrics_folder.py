"""The folder through which the processes of one server share what they count, while that server runs."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Where processes of prometheus-client look for that folder; it is read when the library is loaded."""
_PREFIX = "metrics-"
_OWNER = "owner.lock"


@contextmanager
def metrics_folder(data: Path) -> Iterator[Path]:
    """A new folder in the data folder, gone at the end. What servers left that were killed goes first.

    A lock says whose folder is in use: several servers may share a data folder, and ids of processes come again.
    CannotStart when it cannot be made.
    """
    from casebridge.app import CannotStart

    runtime = data.absolute() / "run"
    try:
        runtime.mkdir(mode=0o700, exist_ok=True)
        with _holding(runtime / f"{_PREFIX[:-1]}.lock"):
            _sweep(runtime)
            folder = Path(mkdtemp(prefix=_PREFIX, dir=runtime))
            owner = _open(folder / _OWNER)
            fcntl.flock(owner, fcntl.LOCK_EX)
    except OSError as error:
        raise CannotStart(f"The folder {runtime} of running servers cannot be used: {error.strerror}.") from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(owner)


def _sweep(runtime: Path) -> None:
    """Remove every folder that nobody holds."""
    for folder in runtime.glob(f"{_PREFIX}*/"):
        with suppress(BlockingIOError), _holding(folder / _OWNER, fcntl.LOCK_EX | fcntl.LOCK_NB):
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _holding(file: Path, how: int = fcntl.LOCK_EX) -> Iterator[None]:
    handle = _open(file)
    try:
        fcntl.flock(handle, how)
        yield
    finally:
        os.close(handle)


def _open(file: Path) -> int:
    return os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
