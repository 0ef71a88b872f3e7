"""Files of a version that this clone does not hold are one line, not a traceback."""

import shutil
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest
from dvc.repo import Repo

from agent_tuning.records import BadInput
from benchmark.compare import git_versions
from tests.support import versioned_repo


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A commit whose file and folder DVC tracks, without DVC's cache: as git clones it."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / ".dvc/tmp/site"))
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    with chdir(tmp_path):
        versioned_repo.start_git()
        Repo.init(".").close()
        Path("data").mkdir()
        Path("data/file").write_text("text")
        Path("data/folder").mkdir()
        Path("data/folder/part").write_text("text")
        Path("dvc.yaml").write_text(
            "stages: {write: {cmd: 'true', outs: [data/file, data/folder]}}"
        )
        versioned_repo.commit("first")
        shutil.rmtree(".dvc/cache")
        shutil.rmtree("data")
        yield


@pytest.mark.usefixtures("clone")
@pytest.mark.parametrize("path", ["data/file", "data/folder", "data/folder/part"])
def test_what_no_cache_here_holds_is_one_line_with_what_to_run(path: str) -> None:
    with (
        pytest.raises(BadInput, match=r"HEAD: .*in the DVC cache; `dvc fetch -a`") as error,
        git_versions.fetch_files("HEAD", [Path(path)]),
    ):
        pass
    assert "\n" not in str(error.value)
    assert Path(path).parts[1] in str(error.value)
