"""Turn written examples into a suite: `python -m benchmark.drafting.written_suite EXAMPLES FOLDER`.

reads   params.yaml: written_suite;  data/catalogue
        EXAMPLES/*.jsonl    WrittenExample; a file's name is the voice that speaks in it
writes  FOLDER/tools.jsonl, prompts.jsonl, tasks.jsonl, version.json

A task's id names the file and the line that it was made from, so that whoever corrects a gold
finds its source.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from agent_tuning.catalogue import schema
from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.records import BadInput, Call, Record
from agent_tuning.runtime import cli, config
from agent_tuning.synthesis import written_examples
from agent_tuning.synthesis.written_examples import NumberedExample, WrittenExample
from benchmark.drafting.accepted_values import AcceptedValuesConfig, list_accepted
from benchmark.drafting.drafter import write_draft
from benchmark.drafting.native_prompts import build_native_prompt, deal_out, join_native_groups
from benchmark.tasks.suites import Gold, GoldCall, Task, TaskGroup


class WrittenSuiteConfig(Record, frozen=True):
    """`seed` shuffles the tools of every prompt; `accepted` says which values are right too."""

    domains: tuple[str, ...]
    version: int
    seed: int
    tasks_per_prompt: int
    accepted: AcceptedValuesConfig


def group_examples(
    name: str, examples: Sequence[NumberedExample], catalogue: Catalogue, p: WrittenSuiteConfig
) -> Iterator[TaskGroup]:
    """Groups of a few examples of different kinds, each under all tools of the catalogue."""
    ordered = sorted(examples, key=lambda numbered: numbered.example.kind)  # else as they come
    for number, members in enumerate(deal_out(ordered, p.tasks_per_prompt)):
        prompt = build_native_prompt(f"{name}/g{number:03}", catalogue.entries, p.seed)
        tasks = (
            Task(
                id=f"{name}/{id}",
                prompt=prompt.id,
                turns=example.before,
                golds=tuple(_list_golds(example, p.accepted)),
                kind=example.kind,
                axes={"wording": "free", "voice": id.rpartition(".")[0]},
            )
            for id, example in members
        )
        yield TaskGroup(prompt, tuple(tasks))


def check_calls(examples: Sequence[NumberedExample], catalogue: Catalogue, folder: Path) -> None:
    """Raise BadInput with file and line at the first call that no tool of the catalogue takes."""
    tools = [catalogue.tool(name, "en") for name in catalogue.entries]
    for id, example in examples:
        for call in (call for calls in (example.calls, *example.also_right) for call in calls):
            if problem := schema.find_call_problem(call, tools):
                voice, _, line = id.rpartition(".")
                raise BadInput(f"{folder}/{voice}.jsonl:{line}: calls: {problem}")


def _list_golds(example: WrittenExample, p: AcceptedValuesConfig) -> Iterator[Gold]:
    """The decision, then what is right too. A native reply without a call has no thought."""
    if example.decision != "call":
        yield Gold(example.decision)
    for calls in (example.calls, *example.also_right) if example.calls else ():
        yield Gold("call", example.thought, tuple(_build_gold_call(call, p) for call in calls))


def _build_gold_call(call: Call, p: AcceptedValuesConfig) -> GoldCall:
    accepted = {name: list_accepted(name, value, p) for name, value in call.arguments.items()}
    return GoldCall(call.name, accepted)


def main(examples: Path, folder: Path) -> None:
    p = config.load("written_suite", WrittenSuiteConfig)
    catalogue = Catalogue(Path("data/catalogue"), p.domains)
    written = list(written_examples.read_folder(examples))
    if not written:
        raise BadInput(f"{examples}: expected .jsonl files with written examples")
    check_calls(written, catalogue, examples)
    groups = list(group_examples(folder.name, written, catalogue, p))
    write_draft(folder, join_native_groups(folder.name, catalogue, groups), p.version)


if __name__ == "__main__":
    cli.run(main)
