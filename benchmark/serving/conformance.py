"""Does a server give the decisions that `predict` reads from the same model? `make conformance`.

Every case is asked of the server, with `messages` and `tools`, and of `predict`'s own engine; both
decode greedily. It fails if a decision differs by more than a near-tie, if a prompt has another
number of tokens, if a stream says something else, or if too little was asked.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from importlib.metadata import distributions
from pathlib import Path

from agent_tuning.files import csv_records, jsonl
from agent_tuning.records import BadInput, Record
from agent_tuning.runtime import cli, config
from benchmark.engines.answer import Answer
from benchmark.engines.config import PredictConfig
from benchmark.model_folder import hash_model
from benchmark.scoring.scorers import TEXT_SCORERS
from benchmark.scoring.task_score import score_answer
from benchmark.serving.ask_server import Server
from benchmark.serving.cases import Case, ConformanceConfig, choose_cases
from benchmark.serving.comparison import Comparison, Difference
from benchmark.serving.export_gguf import find_site
from benchmark.serving.serve import check_folder
from benchmark.serving.server_process import running
from benchmark.tasks import suites

# What the version of an engine is that of, and the engines whose calls a grammar constrains.
PACKAGES = {"transformers": "transformers", "vllm": "vllm", "llama.cpp": "xllamacpp"}
GUIDED = {"llama.cpp"}
DIFFERENCES = Path("scratch/conformance.jsonl")


class ConformanceRow(Record, frozen=True):
    """One server: counts, but for `em` and `em_predict`, which are shares (0-1) of `tasks`.

    `equal`: the whole decision is the same, names, arguments and texts. `near_ties`: differences
    with a gap below the limit. `prompts`: cases whose prompt has as many tokens as ours.
    `thoughts`: whether earlier ones that the client sent are in the prompt. `weights`: a hash of
    the model's folder, so that a card has no row of other weights or another template.
    """

    engine: str
    version: str
    guided: str
    requests: int
    calls: int
    later_steps: int
    thoughts: str
    prompts: int
    equal: int
    near_ties: int
    streamed: int
    streamed_equal: int
    tasks: int
    em: float
    em_predict: float
    weights: str


def summarize(
    comparison: Comparison,
    differences: Sequence[Difference],
    names: tuple[str, str, str],
    near_tie: float,
) -> ConformanceRow:
    """The row of a server; `names` are engine, version, and whether decoding was guided."""
    cases = comparison.cases
    tasks = [case for case in cases if case.is_task]
    later = [case for case in cases if case.is_later_step]
    dropped = any(map(comparison.drops_thoughts, later))
    streamed = [case for case in cases if case.id in comparison.streamed]
    return ConformanceRow(
        *names,
        requests=len(cases),
        calls=sum(map(comparison.count_calls, cases)),
        later_steps=len(later),
        thoughts="dropped" if dropped else "kept",
        prompts=sum(map(comparison.has_same_prompt, cases)),
        equal=len(cases) - len(differences),
        near_ties=sum(is_near_tie(difference, near_tie) for difference in differences),
        streamed=len(streamed),
        streamed_equal=sum(map(comparison.is_stream_equal, streamed)),
        tasks=len(tasks),
        em=_compute_em(tasks, [comparison.served[case.id].answer for case in tasks]),
        em_predict=_compute_em(tasks, [comparison.ours[case.id] for case in tasks]),
        weights=hash_model(comparison.folder),
    )


def is_near_tie(difference: Difference, limit: float) -> bool:
    return difference.gap is not None and abs(difference.gap) < limit


def find_problems(row: ConformanceRow, p: ConformanceConfig) -> Iterator[str]:
    """Why a server does not conform; nothing if it does."""
    if row.calls < p.minimum_calls:
        yield f"{row.calls} calls; expected {p.minimum_calls} or more"
    if row.later_steps < p.minimum_later_steps:
        yield f"{row.later_steps} later steps; expected {p.minimum_later_steps} or more"
    if row.prompts < row.requests:
        yield f"{row.requests - row.prompts} prompts have another number of tokens"
    if (differing := row.requests - row.equal - row.near_ties) and row.guided == "no":
        yield f"{differing} decisions differ, and not by a near-tie"
    if row.streamed_equal < row.streamed:
        yield f"{row.streamed - row.streamed_equal} streams say something else"
    if row.streamed < p.streamed:
        yield f"{row.streamed} streams; expected {p.streamed}"


def write_row(path: Path, row: ConformanceRow) -> None:
    """Add the row, in place of an earlier one of the same server."""
    known = list(csv_records.read(path, ConformanceRow)) if path.exists() else []
    rows = {(r.engine, r.version, r.guided): r for r in [*known, row]}
    csv_records.write(path, ConformanceRow, [rows[key] for key in sorted(rows)])


def _compute_em(cases: Sequence[Case], answers: Sequence[Answer]) -> float:
    scorer = TEXT_SCORERS["rouge_l"]
    scores = (
        score_answer(case.suite, "", case.task, case.spec, answer, scorer, 0.0).score.em
        for case, answer in zip(cases, answers, strict=True)
    )
    return round(sum(scores) / len(cases), 6) if cases else 0.0


def main(
    model: Path,
    suites_folder: Path,
    table: Path,
    *,
    url: Path | None = None,
    engine: Path = Path("transformers"),
    version: Path | None = None,
    guided: bool = False,
) -> None:
    p, predict = (
        config.load("conformance", ConformanceConfig),
        config.load("predict", PredictConfig),
    )
    check_folder(model)
    if url and not version:
        raise BadInput("URL: also needs ENGINE and VERSION, for the table")
    loaded = [suites.read(suites_folder / name) for name in p.groups]
    cases = list(choose_cases(loaded, p))
    guided = guided or str(engine) in GUIDED
    names = str(engine), str(version or find_version(str(engine))), "yes" if guided else "no"
    print(f"conformance: {len(cases)} requests to {names[0]} {names[1]}; first our own answers")
    comparison = Comparison(cases, model, predict)
    with nullcontext(_read_url(url)) if url else running(model, names[0]) as address:
        comparison.ask(Server(address, predict.max_new_tokens), p.streamed)
    differences = list(comparison.find_differences())
    jsonl.write(DIFFERENCES, differences)
    for one in differences:
        gap = "none" if one.gap is None else f"{one.gap:.4f}"
        print(f"{one.case}: gap {gap}: ours {one.ours!r}, served {one.served!r}")
    row = summarize(comparison, differences, names, p.near_tie)
    write_row(table, row)
    print(
        f"{table}: {row.equal} of {row.requests} decisions equal, {row.near_ties} near-ties, "
        f"{row.calls} calls, {row.later_steps} later steps; em {row.em:.3f}, "
        f"predict's {row.em_predict:.3f} ({row.tasks} tasks)"
    )
    if problems := list(find_problems(row, p)):
        sys.exit(f"error: {names[0]} {names[1]}: {'; '.join(problems)}")


def find_version(engine: str) -> str:
    """The version of an engine that is installed here."""
    paths = [*sys.path, *map(str, find_site())]
    found = next(iter(distributions(name=PACKAGES.get(engine, engine), path=paths)), None)
    if found is None:
        raise BadInput(f"ENGINE={engine}: not installed here; give its URL and VERSION")
    return found.version


def _read_url(url: Path) -> str:
    """A path has lost one of the two slashes."""
    return str(url).replace(":/", "://", 1)


if __name__ == "__main__":
    cli.run(main)
