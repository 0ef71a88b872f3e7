"""Answer every question with one model, greedily; a killed run goes on where it stopped.

reads   data/prompts.jsonl     Questions
        data/base/ or models/tuned/
        data/fingerprint/predict.json  this code
writes  data/answers/{base,tuned}.jsonl  Answer, sorted by task

Answers are appended to scratch/predict/, in a file named by all that went in, batch by batch.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from agent_tuning.files import jsonl
from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.runtime import cli, config
from agent_tuning.runtime.cache_key import compute_run_key
from agent_tuning.runtime.progress import Progress
from benchmark.engines import ENGINES
from benchmark.engines.answer import Answer
from benchmark.engines.config import PredictConfig

SCRATCH = Path("scratch/predict")


def stored(path: Path) -> dict[str, Answer]:
    """Answers of an earlier run; the last line may be torn, and is cut off."""
    if not path.exists():
        return {}
    whole = path.read_bytes().rpartition(b"\n")[0]
    path.write_bytes(whole + b"\n" * bool(whole))
    return {answer.task: answer for answer in jsonl.read(path, Answer)}


def store(path: Path, answers: Sequence[Answer]) -> None:
    """On disk when it returns."""
    with open(path, "ab") as out:
        out.write(b"".join(msgspec.json.encode(answer) + b"\n" for answer in answers))
        out.flush()
        os.fsync(out.fileno())


def main(prompts: Path, folder: Path, fingerprint: Path, target: Path) -> None:
    p = config.load("predict", PredictConfig)
    kept = (
        SCRATCH
        / f"{target.stem}-{compute_run_key(p.without_pacing, [prompts, folder, fingerprint])}.jsonl"
    )
    kept.parent.mkdir(parents=True, exist_ok=True)
    groups = list(jsonl.read(prompts, QuestionGroup))
    engine = ENGINES[p.engine](folder, target.stem, p)
    done = stored(kept)
    progress = Progress(target.stem, sum(len(group.questions) for group in groups), len(done))
    unheard: dict[str, Answer] = {}
    for answers in engine.answers(groups, done):
        heard = [answer for answer in answers if not answer.error]
        store(kept, heard)
        done.update((answer.task, answer) for answer in heard)
        unheard.update((answer.task, answer) for answer in answers if answer.error)
        progress.show(len(done) + len(unheard), f"{len(unheard)} unheard" * bool(unheard))
    found = done | unheard
    jsonl.write(target, [found[task] for task in sorted(found)])
    print(f"{target}: {len(done)} answers" + f", {len(unheard)} unheard" * bool(unheard))


if __name__ == "__main__":
    cli.run(main)
