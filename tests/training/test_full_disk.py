"""Training on a full disk, and Ctrl-C in training: one line, and the same command goes on later."""

import signal
from pathlib import Path

import pytest

from tests.support import small_disk, training_ranks

PLENTY = 100_000  # kilobytes


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return training_ranks.make_inputs(tmp_path_factory.mktemp("train") / "inputs")


@pytest.fixture(scope="module")
def uninterrupted(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = training_ranks.copy_inputs(inputs, tmp_path_factory.mktemp("uninterrupted") / "run")
    succeeded, output = training_ranks.train(folder)
    assert succeeded, output
    return training_ranks.read_outputs(folder)


@small_disk.NEEDS_ROOT
@pytest.mark.parametrize("kilobytes", [8, 60, 250, 420, 700])
def test_a_full_disk_is_one_line_and_the_run_goes_on_when_there_is_space(
    inputs: Path, uninterrupted: list[bytes], tmp_path: Path, kilobytes: int
) -> None:
    """Where `datasets`, packs, weights, optimizer or the second checkpoint find no space."""
    folder = training_ranks.copy_inputs(inputs, tmp_path / "run")
    with small_disk.mounted(folder / "scratch", kilobytes):
        succeeded, output = training_ranks.train(folder)
        assert not succeeded
        assert "Traceback" not in output
        (line,) = [line for line in output.splitlines() if line.startswith("error: ")]
        assert "no space left to write it" in line
        assert "MB are free" in line
        small_disk.grow(folder / "scratch", PLENTY)
        succeeded, output = training_ranks.train(folder)
        assert succeeded, output
    assert training_ranks.read_outputs(folder) == uninterrupted


def test_ctrl_c_saves_a_checkpoint_ends_in_one_line_and_the_run_resumes(
    inputs: Path, uninterrupted: list[bytes], tmp_path: Path
) -> None:
    folder = training_ranks.copy_inputs(inputs, tmp_path / "run")
    statuses, printed = training_ranks.interrupt(folder, signal.SIGINT)
    assert statuses == [75]
    assert "Traceback" not in printed
    (line,) = [line for line in printed.splitlines() if line.startswith("stopped: ")]
    assert "is saved in scratch/train/" in line
    succeeded, output = training_ranks.train(folder)
    assert succeeded, output
    assert "resuming from" in output
    assert training_ranks.read_outputs(folder) == uninterrupted
