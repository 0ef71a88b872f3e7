"""Files of a version of the project: what git or DVC holds of any commit, tag or experiment."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dvc.api import DVCFileSystem
from dvc.exceptions import DvcException

from agent_tuning.records import BadInput, Json, Record

WORKSPACE = "workspace"  # the files as they lie here, as DVC calls them
LOCK_FILE = Path("dvc.lock")


class LockedFile(Record, frozen=True, forbid_unknown_fields=False):
    path: str
    md5: str = ""


class StageRun(Record, frozen=True, forbid_unknown_fields=False):
    """What a stage ran on."""

    deps: tuple[LockedFile, ...] = ()
    outs: tuple[LockedFile, ...] = ()
    params: dict[str, dict[str, Json]] = {}


class DvcLock(Record, frozen=True, forbid_unknown_fields=False):
    stages: dict[str, StageRun] = {}

    def find_run(self, output: Path) -> StageRun:
        """The run that wrote `output`; an empty one where none did, as for a committed file."""
        for run in self.stages.values():
            if str(output) in {out.path for out in run.outs}:
                return run
        return StageRun()


@contextmanager
def fetch_files(
    version: str, paths: Iterable[Path], optional: Iterable[Path] = ()
) -> Iterator[Path]:
    """A temporary folder with `paths` as they were at `version`, and those of `optional` it has.

    Raises BadInput for an unknown version, for a path of `paths` that the version does not have,
    and for any path that DVC tracks and no cache here holds. What is wrong inside a file is said
    of the file of that version, not of the copy.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            files = DVCFileSystem(".", rev=None if version == WORKSPACE else version)
            existing = (path for path in optional if files.exists(str(path)))
            for path in (*paths, *existing):
                _copy_file(files, version, path, Path(folder))
        except DvcException as error:
            raise BadInput(f"{version}: {error}") from error
        try:
            yield Path(folder)
        except BadInput as error:
            raise BadInput(f"{version}: {str(error).replace(f'{folder}/', '')}") from error


def _copy_file(files: DVCFileSystem, version: str, path: Path, folder: Path) -> None:
    problem = "no such file in this version"
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    try:
        files.info(str(path))
        problem = "neither committed nor in the DVC cache; `dvc fetch -a` may get it"
        files.get(str(path), str(folder / path), recursive=True)
    except FileNotFoundError as error:
        raise BadInput(f"{version}: {path}: {problem}") from error
