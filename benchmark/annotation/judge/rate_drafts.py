"""Let an LLM judge rate drafted golds before people review them: `make judge-drafts`.

reads   CANDIDATES/                tools.jsonl, prompts.jsonl, tasks.jsonl
        params.yaml: judge, chat_model (its service and prices)
writes  CANDIDATES/judge.jsonl     a score and a reason each: `make review` shows the lowest first
        CANDIDATES/judge_failures.jsonl   the drafts without a score, and why
        STORE                      the judge's paid replies; no question is asked twice

`--dry-run` prints how many requests are left and what they cost. `--replay` reads all replies from
STORE.
"""

from pathlib import Path

from agent_tuning.chat_model.config import ChatModelConfig
from agent_tuning.runtime import cli, config
from benchmark import missing_step
from benchmark.annotation.judge import judge, prompt
from benchmark.annotation.judge.judge import SECTION, Judge, JudgeConfig
from benchmark.tasks import suites


def main(folder: Path, store: Path, *, dry_run: bool = False, replay: bool = False) -> None:
    judge_config = config.load(SECTION, JudgeConfig)
    chat = config.load("chat_model", ChatModelConfig)
    missing_step.expect(folder / "tasks.jsonl", "candidates", "make draft")
    candidates = suites.read(folder)
    asks = {
        task.id: prompt.ask_about_draft(task, candidates.prompt(task)) for task in candidates.tasks
    }
    judge.run(Judge(asks, store, judge_config, chat), folder, dry_run, replay)


if __name__ == "__main__":
    cli.run(main)
