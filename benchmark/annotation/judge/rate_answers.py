"""Let an LLM judge rate the answers that people rate: `make judge VERSION="base tuned"`.

reads   SUITE/, and the ANSWERS of every version: one file each, with the version's name
        FOLDER/ratings.jsonl       people's ratings, if there are any
        params.yaml: judge, rate, chat_model (its service and prices)
writes  FOLDER/sheet.jsonl         the answers, the same as `make rate` draws
        FOLDER/judge.jsonl         a score and a reason each, by the bands of people
        FOLDER/judge_failures.jsonl   the answers without a score, and why
        STORE                      the judge's paid replies; no question is asked twice
        METRICS                    as `make rate` writes them, with the judge beside the people
        FOLDER/disagreements.jsonl

`--dry-run` prints how many requests are left and what they cost. `--replay` reads all replies from
STORE.
"""

from pathlib import Path

from agent_tuning.chat_model.config import ChatModelConfig
from agent_tuning.files import jsonl
from agent_tuning.runtime import cli, config
from benchmark import missing_step
from benchmark.annotation.judge import judge, prompt
from benchmark.annotation.judge.judge import SECTION, Judge, JudgeConfig
from benchmark.annotation.rating import rated_answers, results
from benchmark.annotation.web.events import Event
from benchmark.tasks import suites


def main(
    suite_folder: Path,
    folder: Path,
    store: Path,
    metrics: Path,
    *versions: Path,
    dry_run: bool = False,
    replay: bool = False,
) -> None:
    p = config.load("rate", results.RatingConfig)
    judge_config = config.load(SECTION, JudgeConfig)
    chat = config.load("chat_model", ChatModelConfig)
    for path in (suite_folder, *versions):
        missing_step.expect(path, "answers", "make repro")
    suite = suites.read(suite_folder)
    tasks = {task.id: task for task in suite.tasks}
    answers = rated_answers.read_answers(versions)
    sheet = rated_answers.draw_sheet(suite.tasks, answers, p.tasks, p.seed)
    asks = {
        answer.id: prompt.ask_about_answer(
            tasks[answer.task], suite.prompt(tasks[answer.task]), answer.text
        )
        for answer in sheet
    }
    judged = judge.run(Judge(asks, store, judge_config, chat), folder, dry_run, replay)
    if judged is None:
        return
    jsonl.write(folder / "sheet.jsonl", sheet)
    ratings = folder / "ratings.jsonl"
    events = list(jsonl.read(ratings, Event)) if ratings.exists() else []
    judgements = {judgement.id: judgement for judgement in judged.judgements}
    disagreements = folder / "disagreements.jsonl"
    results.write(events, sheet, judgements, p, suite.digest, metrics, disagreements)


if __name__ == "__main__":
    cli.run(main)
