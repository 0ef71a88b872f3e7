"""Answer every question with one model, greedily; a killed run resumes where it stopped.

reads   data/requests.jsonl    QuestionGroup
        data/base/ or models/tuned/
        data/code_hashes/predict.json    the hash of this code
        data/asked/                      the suites that are asked: for the engine `served` alone
writes  data/answers/{base,tuned}.jsonl  Answer, sorted by task

Every batch is appended to a file in scratch/predict/, whose name is a hash of all inputs.
"""

from pathlib import Path

from agent_tuning.files import jsonl
from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.runtime import cli, config
from agent_tuning.runtime.cache_key import compute_run_key
from benchmark.engines.config import PredictConfig
from benchmark.engines.engine import ENGINES
from benchmark.engines.predict import predict

SCRATCH = Path("scratch/predict")


def main(
    requests: Path, model: Path, code: Path, answers: Path, *, suites: Path | None = None
) -> None:
    p = config.load("predict", PredictConfig)
    key = compute_run_key(p.without_pacing, [requests, model, code])
    groups = list(jsonl.read(requests, QuestionGroup))
    engine = ENGINES[p.engine](model, answers.stem, p, suites)
    log = SCRATCH / f"{answers.stem}-{key}.jsonl"
    answered, failed = predict(engine, groups, log, answers.stem)
    lines = answered | failed
    jsonl.write(answers, [lines[task] for task in sorted(lines)])
    note = f", {len(failed)} failed requests; run it again to repeat them" * bool(failed)
    print(f"{answers}: {len(answered)} answers{note}")


if __name__ == "__main__":
    cli.run(main)
