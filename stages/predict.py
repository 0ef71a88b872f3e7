"""Answer every question with one model, greedily; a killed run goes on where it stopped.

reads   data/prompts.jsonl     Questions
        data/base/ or models/tuned/
        data/fingerprint/predict.json  this code
writes  data/answers/{base,tuned}.jsonl  Answer, sorted by task

Answers are appended to scratch/predict/, in a file named by all that went in, batch by batch.
"""

import os
from pathlib import Path

import msgspec

from benchmark.answers import Answer
from trajectory import command, decoding, jsonl, params
from trajectory.chat import Chat
from trajectory.decoding import Prompt
from trajectory.machine import prepare
from trajectory.progress import Progress
from trajectory.questions import Questions
from trajectory.records import Record
from trajectory.runkey import run_key

SCRATCH = Path("scratch/predict")


class Params(Record, frozen=True):
    max_new_tokens: int
    rows: int
    threads: int


def stored(path: Path) -> dict[str, Answer]:
    """Answers of an earlier run; the last line may be torn, and is cut off."""
    if not path.exists():
        return {}
    whole = path.read_bytes().rpartition(b"\n")[0]
    path.write_bytes(whole + b"\n" * bool(whole))
    return {answer.task: answer for answer in jsonl.read(path, Answer)}


def main(prompts: Path, folder: Path, fingerprint: Path, target: Path) -> None:
    p = params.load("predict", Params)
    prepare(p.threads)
    key = run_key(p, [prompts, folder, fingerprint])
    store = SCRATCH / f"{target.stem}-{key}.jsonl"
    store.parent.mkdir(parents=True, exist_ok=True)

    # Groups of one length decode together: no row waits for a much longer one.
    groups = sorted(
        jsonl.read(prompts, Questions), key=lambda group: (len(group.prefix), group.group)
    )
    asked = [Prompt(list(g.prefix), [list(ids) for ids in g.questions.values()]) for g in groups]
    done = stored(store)
    total = sum(len(group.questions) for group in groups)
    progress = Progress(target.stem, total, len(done))
    model, chat = None, Chat(folder / "tokenizer.json")
    for batch in decoding.batches(asked, p.rows):
        tasks = [task for index in batch for task in groups[index].questions]
        if all(task in done for task in tasks):
            continue
        model = model or decoding.load(folder)
        replies = decoding.greedy(model, [asked[i] for i in batch], chat.end, p.max_new_tokens)
        texts = [chat.text(ids) for group in replies for ids in group]
        answers = [Answer(task, text) for task, text in zip(tasks, texts, strict=True)]
        with open(store, "ab") as out:
            out.write(b"".join(msgspec.json.encode(answer) + b"\n" for answer in answers))
            out.flush()
            os.fsync(out.fileno())
        done.update((answer.task, answer) for answer in answers)
        progress.show(len(done))
    jsonl.write(target, [done[task] for task in sorted(done)])
    print(f"{target}: {len(done)} answers")


if __name__ == "__main__":
    command.run(main)
