"""Answer every question with one model, greedily; a killed run resumes where it stopped.

reads   data/prompts.jsonl     QuestionGroup
        data/base/ or models/tuned/
        data/code_hashes/predict.json    the hash of this code
writes  data/answers/{base,tuned}.jsonl  Answer, sorted by task

Every batch is appended to a file in scratch/predict/, whose name is a hash of all inputs.
"""

from pathlib import Path

from agent_tuning.files import jsonl
from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.runtime import cli, config
from agent_tuning.runtime.cache_key import compute_run_key
from benchmark.engines import ENGINES
from benchmark.engines.config import PredictConfig
from benchmark.engines.predict import predict

SCRATCH = Path("scratch/predict")


def main(prompts: Path, folder: Path, fingerprint: Path, target: Path) -> None:
    p = config.load("predict", PredictConfig)
    key = compute_run_key(p.without_pacing, [prompts, folder, fingerprint])
    groups = list(jsonl.read(prompts, QuestionGroup))
    engine = ENGINES[p.engine](folder, target.stem, p)
    answers, failed = predict(engine, groups, SCRATCH / f"{target.stem}-{key}.jsonl", target.stem)
    lines = answers | failed
    jsonl.write(target, [lines[task] for task in sorted(lines)])
    note = f", {len(failed)} failed requests; run it again to repeat them" * bool(failed)
    print(f"{target}: {len(answers)} answers{note}")


if __name__ == "__main__":
    cli.run(main)
