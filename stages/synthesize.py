"""Let the teacher write the positives of every planned group.

reads   data/plan.jsonl          GroupRequest
        data/catalogue/          tools, wordings and simulators of the scripted teacher
        data/phrasing.yaml       its wording outside the catalogue
writes  data/replies.jsonl       Reply, appended: every paid answer of a chat model (`replay` reads
                                 it)
        data/raw.jsonl           Group
        data/failures.jsonl      Failure
        metrics/synthesize.json  counts, tokens and cost

`--dry-run` prints what a run would still ask and cost. `--preview N` prints N trajectories.
Neither writes anything.
"""

from pathlib import Path

from agent_tuning.chat_model.config import ChatModelConfig
from agent_tuning.files import jsonl, metrics_file
from agent_tuning.runtime import cli, config
from agent_tuning.synthesis import write_positives
from agent_tuning.synthesis.teachers import GroupRequest
from agent_tuning.synthesis.teachers.select import SynthesizeConfig


def main(
    plan: Path,
    catalogue: Path,
    phrasing: Path,
    replies: Path,
    raw: Path,
    failures: Path,
    metrics: Path,
    *,
    dry_run: bool = False,
    preview: int = 0,
) -> None:
    p = config.load("synthesize", SynthesizeConfig)
    chat = config.load("chat_model", ChatModelConfig)
    requests = jsonl.read(plan, GroupRequest)
    if preview:
        write_positives.print_preview(p, chat, catalogue, phrasing, replies, requests, preview)
        return
    teacher = write_positives.build_teacher(p, chat, catalogue, phrasing, replies)
    if dry_run:
        estimate = teacher.estimate(requests).describe_estimate()
        print(f"{p.teacher}: {estimate} (chat_model.budget = {chat.budget})")
        return
    tally = write_positives.SynthesisTally()
    jsonl.write(raw, tally.count_groups(teacher.write(requests)))
    jsonl.write(failures, tally.failures)
    metrics_file.write(metrics, tally.metrics(teacher.usage))
    failed = f"{len(tally.failures)} of {tally.requested} trajectories failed"
    print(f"{raw}: {tally.groups} groups, {failed}")
    tally.check_failures(p.max_failed, failures)


if __name__ == "__main__":
    cli.run(main)
