"""Have drafted golds judged before people review them: `make judge-drafts`.

reads   CANDIDATES/                tools.jsonl, tasks.jsonl
        params.yaml: judge, and the service and prices of synthesize
writes  CANDIDATES/judge.jsonl     a mark and a reason each: `make review` shows the worst first
        CANDIDATES/judge_failures.jsonl   what has no mark, and why
        STORE                      what the judge was paid for; nothing is asked twice

`--dry-run` says what is left to ask and what it costs; `--replay` takes all of it from STORE.
"""

from pathlib import Path

from agent_tuning.runtime import cli
from benchmark.annotation.judge import judge, prompt
from benchmark.tasks import suites


def main(folder: Path, store: Path, *, dry_run: bool = False, replay: bool = False) -> None:
    candidates = suites.read(folder)
    asks = {
        task.id: prompt.ask_about_draft(task, candidates.tools_of(task))
        for task in candidates.tasks
    }
    judge.run(judge.Judge(asks, store), folder, dry_run, replay)


if __name__ == "__main__":
    cli.run(main)
