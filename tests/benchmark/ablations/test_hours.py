"""The hours come from the last training's own speed, and from experiments that ran here."""

import json
import os
from pathlib import Path

import pytest

from agent_tuning.records import BadInput
from benchmark.ablations.hours import (
    FinishedRun,
    Speed,
    estimate_hours,
    estimate_hours_by_finished,
    read_speed,
)


def write_log(path: Path, *steps: tuple[int, float, int]) -> Path:
    path.parent.mkdir()
    rows = ({"step": n, "seconds": s, "tokens": t, "tokens_per_s": t / s} for n, s, t in steps)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_speed_is_that_of_the_newest_training_and_a_step_done_twice_counts_once(tmp_path):
    older = write_log(tmp_path / "a/speed.jsonl", (1, 1.0, 5000))
    os.utime(older, (1, 1))
    newer = write_log(tmp_path / "b/speed.jsonl", (1, 9.0, 100), (1, 2.0, 100), (2, 3.0, 300))
    assert read_speed(tmp_path) == Speed(400 / 5.0, f"{newer}, 2 steps")


def test_a_line_that_a_kill_cut_is_left_out(tmp_path):
    log = write_log(tmp_path / "a/speed.jsonl", (1, 2.0, 100), (2, 3.0, 300))
    whole = log.read_text()
    log.write_text(whole + '{"step":3,"sec')
    assert read_speed(tmp_path) == Speed(400 / 5.0, f"{log}, 2 steps")
    log.write_text('{"step":3,"sec\n' + whole)  # and the run went on
    assert read_speed(tmp_path) == Speed(400 / 5.0, f"{log}, 2 steps")


def test_without_a_training_it_says_what_to_give(tmp_path):
    with pytest.raises(BadInput, match=r"no training left a speed log here.*SPEED=160"):
        read_speed(tmp_path / "none")


def test_hours_are_steps_times_tokens_by_speed():
    # (10 + 5) steps x 96 tokens / 80 tokens/s = 18 s
    assert estimate_hours([10, 5], 96.0, Speed(80.0, "")) == pytest.approx(18 / 3600)


def test_hours_by_finished_experiments_are_steps_times_their_pace():
    # (50 + 30) s / (10 + 10) steps = 4 s a step
    finished = [FinishedRun("a", 10, 50.0), FinishedRun("b", 10, 30.0)]
    assert estimate_hours_by_finished([450, 450], finished) == pytest.approx(1.0)
