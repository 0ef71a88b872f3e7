"""Have the answers judged that people rate: `make judge VERSION="base tuned"`.

reads   SUITE/, and the ANSWERS of every version, a file each named for it
        FOLDER/ratings.jsonl       what people said, if any did
        params.yaml: judge, rate, and the service and prices of synthesize
writes  FOLDER/sheet.jsonl         the answers, the same as `make rate` draws
        FOLDER/judge.jsonl         a mark and a reason each, by the bands of people
        FOLDER/judge_failures.jsonl   what has no mark, and why
        STORE                      what the judge was paid for; nothing is asked twice
        METRICS                    as `make rate` writes them, the judge beside the people
        FOLDER/disagreements.jsonl

`--dry-run` says what is left to ask and what it costs; `--replay` takes all of it from STORE.
"""

from pathlib import Path

from agent_tuning.files import jsonl
from agent_tuning.runtime import cli, config
from benchmark.annotation.judge import judge, prompt
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
    suite = suites.read(suite_folder)
    tasks = {task.id: task for task in suite.tasks}
    rated = rated_answers.draw_sheet(
        suite.tasks, rated_answers.read_answers(versions), p.tasks, p.seed
    )
    asks = {
        one.id: prompt.ask_about_answer(tasks[one.task], suite.tools_of(tasks[one.task]), one.text)
        for one in rated
    }
    found = judge.run(judge.Judge(asks, store), folder, dry_run, replay)
    if found is None:
        return
    jsonl.write(folder / "sheet.jsonl", rated)
    ratings = folder / "ratings.jsonl"
    said = list(jsonl.read(ratings, Event)) if ratings.exists() else []
    judged = {one.id: one for one in found.judged}
    apart = folder / "disagreements.jsonl"
    results.write(said, rated, judged, p, suite.digest, metrics, apart)


if __name__ == "__main__":
    cli.run(main)
