"""Training runs that are killed again and again, and resume.

`python -m tests.support.crash_injection [ROUNDS] [SEED]`

With one rank, and with two under ZeRO-3: at a random step a random rank gets SIGKILL or USR1, and
the same command is started again. Every process must be served the packs that the uninterrupted run
is served at those indices. In the end log (all losses), weights and card must be its bytes.
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

from agent_tuning.runtime.cli import EXIT_UNFINISHED
from tests.support import training_ranks
from tests.support.training_ranks import RankProcesses, ServedRow

EPOCHS = 12


class Injection(NamedTuple):
    signal: signal.Signals
    rank: int
    index: int  # of the row at which it comes


class Round(NamedTuple):
    """One start: what was injected, the step that it resumed from, and what differed."""

    injection: Injection | None
    resumed: int
    problems: list[str]

    def __str__(self) -> str:
        injection = self.injection
        end = f"{injection.signal.name} on rank {injection.rank}" if injection else "the end"
        problems = "; ".join(self.problems) or "as uninterrupted"
        return f"from step {self.resumed:3}  {end:18} {problems}"


def draw_injections(rounds: int, world: int, rows: int, seed: int) -> list[Injection]:
    """Spread over the first nine tenths of the run, in order."""
    draw = random.Random(f"{seed}:{world}")
    signals = (signal.SIGKILL, signal.SIGUSR1)
    indices = sorted(draw.randrange(rows * 9 // 10) for _ in range(rounds))
    return [Injection(draw.choice(signals), draw.randrange(world), index) for index in indices]


def run_uninterrupted(inputs: Path, target: Path, world: int) -> tuple[Path, list[list[ServedRow]]]:
    """The folder of an uninterrupted run, and the rows that each rank was served in it."""
    folder = training_ranks.copy_inputs(inputs, target)
    ranks = RankProcesses(folder, world)
    assert ranks.end() == [0] * world, ranks.output
    return folder, [ranks.served_rows(rank) for rank in range(world)]


def inject_crashes(
    inputs: Path, target: Path, world: int, rounds: int, seed: int
) -> Iterator[Round]:
    """Interrupt a run `rounds` times, let it end, and compare it with an uninterrupted one."""
    uninterrupted, served = run_uninterrupted(inputs, target / "uninterrupted", world)
    folder = training_ranks.copy_inputs(inputs, target / "interrupted")
    for injection in [*draw_injections(rounds, world, len(served[0]) * world, seed), None]:
        ranks = RankProcesses(folder, world)
        if injection:
            _inject(ranks, injection)
        statuses = ranks.end(60 if injection else training_ranks.PATIENCE)
        problems = [*_compare_rows(ranks, served), *_compare_statuses(injection, statuses)]
        if not injection and not problems:
            outputs = [training_ranks.read_outputs(path) for path in (folder, uninterrupted)]
            problems += ["other bytes"] * (outputs[0] != outputs[1])
        yield Round(injection, _find_resumed_step(ranks.output), problems)
        if None in statuses or (statuses == [0] * world and injection):
            return


def _inject(ranks: RankProcesses, injection: Injection) -> None:
    """Wait until the rank is served the row (or a later one), then send it the signal."""
    victim = ranks.processes[injection.rank]
    ranks.wait_for(
        lambda: any(row.index >= injection.index for row in ranks.served_rows(injection.rank))
    )
    if victim.pid and victim.is_alive():
        os.kill(victim.pid, injection.signal)
    if injection.signal is signal.SIGKILL:
        for process in ranks.processes:  # a launcher that lost a rank does the same
            process.join(5)
            process.kill()


def _compare_rows(ranks: RankProcesses, expected: list[list[ServedRow]]) -> Iterator[str]:
    for rank, all_rows in enumerate(expected):
        rows = ranks.served_rows(rank)
        first = all_rows.index(rows[0]) if rows and rows[0] in all_rows else 0
        if rows != all_rows[first : first + len(rows)]:
            yield f"rank {rank} was served other packs"


def _compare_statuses(injection: Injection | None, statuses: list[int | None]) -> Iterator[str]:
    statuses_by_signal = {None: 0, signal.SIGUSR1: EXIT_UNFINISHED}
    expected = statuses_by_signal.get(injection and injection.signal)
    if expected is not None and set(statuses) != {expected}:
        yield f"exit status {statuses}, expected {expected}"


def _find_resumed_step(output: str) -> int:
    match = re.search(r"resuming from \S+checkpoint-(\d+)", output)
    return int(match[1]) if match else 0


def main(rounds: int = 20, seed: int = 1) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        inputs = training_ranks.make_inputs(Path(temporary) / "inputs", epochs=EPOCHS, save_steps=3)
        failed = 0
        for world in (1, 2):
            print(f"{world} rank(s), {rounds} signals", flush=True)
            target = Path(temporary) / str(world)
            for number, result in enumerate(inject_crashes(inputs, target, world, rounds, seed)):
                print(f"{number + 1:3} {result}", flush=True)
                failed += bool(result.problems)
    sys.exit(f"{failed} rounds failed" if failed else 0)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
