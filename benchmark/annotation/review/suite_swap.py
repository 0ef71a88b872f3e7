"""Replace the folder of a suite as a whole, so that a kill leaves the old folder or the new one.

SUITE.next    the new folder; it counts once SUITE is gone
SUITE.old     the folder before, while it is being removed
SUITE.lock    held by the command that writes the suite
"""

import errno
import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent_tuning.files import atomic_write
from agent_tuning.records import BadInput

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Read and write the folder in this context: one run at a time, and no half of a killed one.

    On a file system without locks nothing holds a second run off. Raises BadInput if there is one.
    """
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BadInput(f"{folder}: another `make merge` is writing it; wait for it") from error
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
        _finish(folder)
        yield


def _finish(folder: Path) -> None:
    """Finish, or undo, what a killed run began."""
    coming, going = folder.with_name(f"{folder.name}.next"), folder.with_name(f"{folder.name}.old")
    if not folder.exists() and coming.exists():
        coming.rename(folder)
    for rest in (coming, going):
        shutil.rmtree(rest, ignore_errors=True)


@contextmanager
def replace_whole(folder: Path) -> Iterator[Path]:
    """A copy of the folder to write into, which takes its place in the end."""
    coming, going = folder.with_name(f"{folder.name}.next"), folder.with_name(f"{folder.name}.old")
    shutil.copytree(folder, coming)
    yield coming
    folder.rename(going)
    coming.rename(folder)
    shutil.rmtree(going)


def copy_whole(folder: Path, copy: Path) -> None:
    """Copy the folder, unless the copy is there."""
    if not copy.exists():
        with atomic_write.replacing(copy) as partial:
            shutil.copytree(folder, partial)
