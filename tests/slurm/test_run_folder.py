"""What goes into the folder of a run, and what comes out, on one file system and over two."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_tuning.files import file_hashes
from slurm.launch import run_folder
from tests.support.checkout import WRITE_RESULT

MEMORY = Path("/dev/shm")  # a file system of its own


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system than `tmp_path`."""
    if not MEMORY.is_dir() or MEMORY.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip(f"NO SECOND FILE SYSTEM at {MEMORY}")
    folder = MEMORY / f"run_folder.{os.getpid()}"
    folder.mkdir()
    (folder / "weights").write_text("1 2 3")
    yield folder
    shutil.rmtree(folder)


def test_on_one_file_system_an_input_is_a_link_and_takes_no_disk(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run_folder, "LARGE_COPY", 1)
    (tmp_path / "base").mkdir()
    (tmp_path / "base/weights").write_text("1 2 3")
    run_folder.link_or_copy(tmp_path / "base", tmp_path / "run/base")
    assert (tmp_path / "run/base/weights").samefile(tmp_path / "base/weights")
    assert capsys.readouterr().out == ""


def test_over_two_file_systems_a_large_input_is_copied_and_the_copy_is_said(
    elsewhere, tmp_path, monkeypatch, capsys
):
    run_folder.link_or_copy(elsewhere, tmp_path / "small")
    assert capsys.readouterr().out == ""  # a small one is nobody's concern
    monkeypatch.setattr(run_folder, "LARGE_COPY", 4)
    run_folder.link_or_copy(elsewhere, tmp_path / "large")
    assert (tmp_path / "large/weights").read_text() == "1 2 3"
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(
        f"{elsewhere / 'weights'}: copying 0 GB, because {tmp_path / 'large'} is"
    )
    assert "put RUNS_ROOT and the repository on one" in line


def test_an_input_that_people_edit_in_place_is_copied_and_a_large_one_is_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_folder, "SMALL_INPUT", 10)
    Path("phrasing.yaml").write_text("as then")
    Path("weights").write_text("1 2 3 4 5 6")
    hashes = file_hashes.hash_files([Path("phrasing.yaml"), Path("weights")])
    run_folder.link_inputs(hashes, Path("run"))
    Path("phrasing.yaml").write_text("edited")
    assert Path("run/phrasing.yaml").read_text() == "as then"
    assert Path("run/weights").samefile("weights")


def test_a_copy_that_was_killed_is_not_taken_for_whole(elsewhere, tmp_path, monkeypatch):
    """Its process had the id of this one, as the first of two containers have."""
    monkeypatch.setattr(run_folder, "SMALL_INPUT", 0)
    monkeypatch.setenv("RUNS_ROOT", str(tmp_path))
    monkeypatch.chdir(elsewhere)
    hashes = file_hashes.hash_files([Path("weights")])
    copies = tmp_path / run_folder.COPIES
    copies.mkdir()
    (copies / f"{hashes['weights']}.{os.getpid()}").write_text("1 2")
    run_folder.link_inputs(hashes, tmp_path / "train")
    assert (tmp_path / "train/weights").read_text() == "1 2 3"


def test_a_run_whose_refresh_was_killed_starts_again(checkout):
    checkout.set_rank_script(f"[ -e up ] && {WRITE_RESULT} && exit; touch up; exit 3")
    assert checkout.launch(CLUSTER="local")[0] == 3
    shutil.rmtree(checkout.run / "slurm")  # and the new one was not there yet
    status, output = checkout.launch(CLUSTER="local")
    assert status == 0, output


def test_runs_share_one_copy_of_an_input_that_is_on_another_file_system(
    elsewhere, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(run_folder, "LARGE_COPY", 4)
    monkeypatch.setattr(run_folder, "SMALL_INPUT", 0)
    monkeypatch.setenv("RUNS_ROOT", str(tmp_path))
    monkeypatch.chdir(elsewhere)
    hashes = file_hashes.hash_files([Path("weights")])
    for run in ("train", "predict"):
        run_folder.link_inputs(hashes, tmp_path / run)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("weights: copying")
    assert (tmp_path / "train/weights").read_text() == "1 2 3"
    assert (tmp_path / "train/weights").samefile(tmp_path / "predict/weights")


def test_a_run_folder_on_another_file_system_gives_its_result_back(elsewhere, checkout):
    checkout.set_rank_script(f"cat in.txt && {WRITE_RESULT}")
    status, output = checkout.launch(CLUSTER="local", RUNS_ROOT=str(elsewhere))
    assert status == 0, output
    assert checkout.folder.name in output  # what in.txt says
    assert (checkout.folder / "out.txt").read_text() == "result\n"
