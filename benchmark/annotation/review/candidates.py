"""Draft tasks for people to review: `make draft`.

reads   SUITE/         the house suite: what it covers, and which queries it has already
        TRAINING       the groups that training reads; no candidate overlaps them
        params.yaml: candidates, draft, decontamination, held_out, synthesize, chat_model
        data/catalogue and the wordings
writes  CANDIDATES/    tools.jsonl, prompts.jsonl, tasks.jsonl: a suite of its own, not judged yet
        STORE          the chat model's paid replies

The cells (tool x scenario x language) that the suite covers least come first. The scripted teacher
designs every task. If you choose a chat model, it rewrites the queries and calls of the positives.
"""

from pathlib import Path

import msgspec

from agent_tuning.chat_model.config import ChatModelConfig
from agent_tuning.files import jsonl
from agent_tuning.quality.decontamination import DecontaminationConfig
from agent_tuning.records import BadInput, Group, Record
from agent_tuning.runtime import cli, config
from agent_tuning.runtime.ranges import AtLeastOne, Count
from agent_tuning.synthesis.held_out import HeldOut
from agent_tuning.synthesis.teachers import select
from benchmark import missing_step
from benchmark.annotation.review import contamination
from benchmark.annotation.review.least_covered_draft import LeastCoveredDraft
from benchmark.annotation.review.rewrite_positives import rewrite_positives
from benchmark.drafting.catalogue_tools import collect_tools
from benchmark.drafting.draft_sources import read_sources
from benchmark.drafting.house_layout import HouseDraftConfig
from benchmark.tasks import suites
from benchmark.tasks.suite_version import read_rejected
from benchmark.tasks.suites import Task


class CandidatesConfig(Record, frozen=True):
    teacher: select.TeacherName
    groups: AtLeastOne
    calls: AtLeastOne
    negatives: Count


def main(folder: Path, training: Path, out: Path, store: Path) -> None:
    p = config.load("candidates", CandidatesConfig)
    missing_step.expect(training, "training data", "dvc repro mix")
    suite, rejected = suites.read(folder), read_rejected(folder)
    _refuse_to_overwrite(out, {task.id for task in (*suite.tasks, *rejected)})
    draft_config = msgspec.structs.replace(
        config.load("draft", HouseDraftConfig),
        groups=p.groups,
        calls=p.calls,
        negatives=p.negatives,
    )
    limit = config.load("decontamination", DecontaminationConfig).near_benchmark
    training_filter = contamination.build_training_filter(jsonl.read(training, Group), limit)
    unseen_only = p.teacher != "scripted"
    sources = read_sources(config.load("held_out", HeldOut, recipe="general"))
    drafter = LeastCoveredDraft(
        sources, draft_config, suite, rejected, training_filter, unseen_only
    )
    groups = list(drafter.groups(drafter.first))
    if p.teacher != "scripted":
        synthesize = msgspec.structs.replace(
            config.load("synthesize", select.SynthesizeConfig), teacher=p.teacher
        )
        chat = config.load("chat_model", ChatModelConfig)
        teacher = select.choose_teacher(synthesize, chat, drafter.teachers["unseen"], store)
        groups = list(rewrite_positives(groups, drafter, teacher))
    tools = collect_tools(drafter.catalogue, [group.prompt.tools for group in groups])
    candidates = suites.join_groups(out.name, tools, groups)
    # Of the drafts before, whose ids these may have; its paid replies are kept by content.
    for judged in ("judge.jsonl", "judge_failures.jsonl"):
        (out / judged).unlink(missing_ok=True)
    suites.write(out, candidates)
    print(f"{out}: {len(candidates.tasks)} tasks by teacher {p.teacher}; review them: make review")


def _refuse_to_overwrite(out: Path, known: set[str]) -> None:
    """The reviews of candidates that are not merged yet would be lost with them."""
    if (out / "reviews.jsonl").exists() and (out / "tasks.jsonl").exists():
        left = [task.id for task in jsonl.read(out / "tasks.jsonl", Task) if task.id not in known]
        if left:
            raise BadInput(
                f"{out}: {left[0]} and {len(left) - 1} more are not merged; "
                f"run `make merge` first, or delete {out / 'tasks.jsonl'} to discard them"
            )


if __name__ == "__main__":
    cli.run(main)
