"""Files of a version of the project: what git or DVC holds of any commit, tag or experiment."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from dvc.api import DVCFileSystem
from dvc.exceptions import DvcException
from dvc_data.index import DataIndexDirError

from agent_tuning.records import BadInput, Json, Record

WORKSPACE = "workspace"  # the files as they lie here, as DVC calls them
LOCK_FILE = Path("dvc.lock")
NOT_HERE = "neither committed nor in the DVC cache; `dvc fetch -a` may get it"
RECIPE_ROOTS = ("data", "metrics", "models")  # each has a folder for every recipe


class NotInCache(BadInput):
    """The version has the file, and no cache here holds it."""


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
        for path in (output, drop_recipe(output)):
            for run in self.stages.values():
                if str(path) in {out.path for out in run.outs}:
                    return run
        return StageRun()

    def find_hash(self, output: Path) -> str:
        """The MD5 of `output` as the run that wrote it left it; "" where none did."""
        hashes = {out.path: out.md5 for out in self.find_run(output).outs}
        return hashes.get(str(output)) or hashes.get(str(drop_recipe(output)), "")


def drop_recipe(path: Path) -> Path:
    """`data/general/answers` as versions without recipes call it: `data/answers`.

    A path right inside one of the roots has no recipe, and stays.
    """
    root, *rest = path.parts
    return Path(root, *rest[1:]) if root in RECIPE_ROOTS and len(rest) > 1 else path


@contextmanager
def fetch_files(
    version: str, paths: Iterable[Path], optional: Iterable[Path] = ()
) -> Iterator[Path]:
    """A temporary folder with `paths` as they were at `version`, and those of `optional` it has.

    Raises BadInput for an unknown version and for a path of `paths` that the version does not have,
    NotInCache for any path that DVC tracks and no cache here holds. Versions without recipes have
    the path without the recipe's folder. What is wrong inside a file is said of the file of that
    version, not of the copy.
    """
    commit = None if version == WORKSPACE else version
    with tempfile.TemporaryDirectory() as folder:
        try:
            with closing(DVCFileSystem(".", rev=commit)) as files:
                existing = (path for path in optional if _find_source(files, path))
                for path in (*paths, *existing):
                    _copy_file(files, version, path, Path(folder))
        except DvcException as error:
            raise BadInput(f"{version}: {error}") from error
        except DataIndexDirError as error:  # of a folder, it names the folder
            raise NotInCache(f"{version}: {error}: {NOT_HERE}") from error
        try:
            yield Path(folder)
        except BadInput as error:
            raise BadInput(f"{version}: {str(error).replace(f'{folder}/', '')}") from error


def _copy_file(files: DVCFileSystem, version: str, path: Path, folder: Path) -> None:
    source = str(_find_source(files, path) or path)
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    try:
        files.info(source)
    except FileNotFoundError as error:
        raise BadInput(f"{version}: {path}: no such file in this version") from error
    try:
        files.get(source, str(folder / path), recursive=True)
    except FileNotFoundError as error:
        raise NotInCache(f"{version}: {path}: {NOT_HERE}") from error


def _find_source(files: DVCFileSystem, path: Path) -> Path | None:
    """Where a version has what this one has at `path`; None if it does not have it."""
    return next((p for p in (path, drop_recipe(path)) if files.exists(str(p))), None)
