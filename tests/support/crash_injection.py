"""Training runs that are killed again and again, and resume.

`python -m tests.support.crash_injection [ROUNDS] [SEED]`

On one rank and on two of ZeRO-3: at a random step a random rank gets kill -9 or USR1, and the same
command is started again. In the end every process must have been handed the packs that the
uninterrupted run has at those places, and log (all losses), weights and card must be its bytes.
"""

import os
import random
import re
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support import training_ranks
from tests.support.training_ranks import Handed, Ranks

EPOCHS = 12


class Hit(NamedTuple):
    how: signal.Signals
    rank: int
    place: int  # of the row on which it comes


class Round(NamedTuple):
    """What was done, the step from which the process before it had gone on, and what was wrong."""

    hit: Hit | None
    resumed: int
    wrong: list[str]

    def __str__(self) -> str:
        done = f"{self.hit.how.name} on rank {self.hit.rank}" if self.hit else "the end"
        return (
            f"from step {self.resumed:3}  {done:18} {'; '.join(self.wrong) or 'as uninterrupted'}"
        )


def hits(rounds: int, world: int, rows: int, seed: int) -> list[Hit]:
    """Spread over the run but its end, in order."""
    draw = random.Random(f"{seed}:{world}")
    kinds = (signal.SIGKILL, signal.SIGUSR1)
    places = sorted(draw.randrange(rows * 9 // 10) for _ in range(rounds))
    return [Hit(draw.choice(kinds), draw.randrange(world), place) for place in places]


def whole(made: Path, target: Path, world: int) -> tuple[Path, list[list[Handed]]]:
    """An uninterrupted run, and what each rank was handed in it."""
    folder = training_ranks.copy(made, target)
    started = Ranks(folder, world)
    assert started.end() == [0] * world, started.output
    return folder, [started.handed(rank) for rank in range(world)]


def survive(made: Path, target: Path, world: int, rounds: int, seed: int) -> Iterator[Round]:
    """Hit a run `rounds` times, let it end, and compare."""
    expected, handed = whole(made, target / "whole", world)
    folder = training_ranks.copy(made, target / "hit")
    for hit in [*hits(rounds, world, len(handed[0]) * world, seed), None]:
        started = Ranks(folder, world)
        if hit:
            _strike(started, hit)
        statuses = started.end(60 if hit else training_ranks.PATIENCE)
        wrong = [*_other_packs(started, handed), *_other_status(hit, statuses)]
        if (
            not hit
            and not wrong
            and training_ranks.result(folder) != training_ranks.result(expected)
        ):
            wrong.append("other bytes")
        yield Round(hit, _resumed(started.output), wrong)
        if None in statuses or (statuses == [0] * world and hit):
            return


def _strike(started: Ranks, hit: Hit) -> None:
    """Wait until the rank is handed the row (or one after it), then hit."""
    victim = started.processes[hit.rank]
    started.wait_for(lambda: any(one.place >= hit.place for one in started.handed(hit.rank)))
    if victim.pid and victim.is_alive():
        os.kill(victim.pid, hit.how)
    if hit.how is signal.SIGKILL:
        for process in started.processes:  # as a launcher does that has lost a rank
            process.join(5)
            process.kill()


def _other_packs(started: Ranks, handed: list[list[Handed]]) -> Iterator[str]:
    for rank, expected in enumerate(handed):
        found = started.handed(rank)
        first = expected.index(found[0]) if found and found[0] in expected else 0
        if found != expected[first : first + len(found)]:
            yield f"rank {rank} was handed other packs"


def _other_status(hit: Hit | None, statuses: list[int | None]) -> Iterator[str]:
    well = {None: 0, signal.SIGUSR1: 75}
    expected = well.get(hit and hit.how)
    if expected is not None and set(statuses) != {expected}:
        yield f"exit status {statuses}, expected {expected}"


def _resumed(output: str) -> int:
    found = re.search(r"resuming from \S+checkpoint-(\d+)", output)
    return int(found[1]) if found else 0


def main(rounds: int = 20, seed: int = 1) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        made = training_ranks.folder(Path(temporary) / "made", epochs=EPOCHS, save_steps=3)
        bad = 0
        for world in (1, 2):
            print(f"{world} rank(s), {rounds} hits", flush=True)
            for number, one in enumerate(
                survive(made, Path(temporary) / str(world), world, rounds, seed)
            ):
                print(f"{number + 1:3} {one}", flush=True)
                bad += bool(one.wrong)
    sys.exit(f"{bad} rounds went wrong" if bad else 0)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
