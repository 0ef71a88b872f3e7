"""Turn written examples into a suite: `python -m benchmark.drafting.written_suite EXAMPLES FOLDER`.

reads   params.yaml: written_suite, and of the recipe `specialist` the domains;  data/catalogue
        EXAMPLES/*.jsonl    WrittenExample; a file's name is the voice that speaks in it
writes  FOLDER/tools.jsonl, prompts.jsonl, tasks.jsonl, version.json

A task's id names the file and the line that it was made from, so that whoever corrects a gold
finds its source.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from agent_tuning.catalogue import schema
from agent_tuning.catalogue.entries import Catalogue, CatalogueConfig
from agent_tuning.records import Assistant, BadInput, Record
from agent_tuning.runtime import cli, config
from agent_tuning.runtime.ranges import AtLeastOne, Seed
from agent_tuning.synthesis import written_examples
from agent_tuning.synthesis.written_examples import NumberedExample, WrittenExample
from benchmark.drafting.accepted_values import AcceptedValuesConfig, list_accepted
from benchmark.drafting.draft_sources import SHOP
from benchmark.drafting.drafter import write_draft
from benchmark.drafting.native_prompts import build_native_prompt, deal_out, join_native_groups
from benchmark.tasks.gold_turn import build_gold
from benchmark.tasks.suites import Gold, Suite, Task, TaskGroup


class WrittenSuiteConfig(Record, frozen=True):
    """`seed` shuffles the tools of every prompt; `accepted` says which values are right too."""

    version: AtLeastOne
    seed: Seed
    tasks_per_prompt: AtLeastOne
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
        yield build_gold(Assistant("call", example.thought, calls), partial(list_accepted, p=p))


def build_suite(name: str, examples: Path, recipe: str) -> Suite:
    """The suite of a folder's examples, for the tools of a recipe; task ids begin with the name."""
    p = config.load("written_suite", WrittenSuiteConfig)
    domains = config.load("catalogue", CatalogueConfig, recipe=recipe).domains
    catalogue = Catalogue(Path("data/catalogue"), domains)
    written = list(written_examples.read_folder(examples))
    check_calls(written, catalogue, examples.parent if examples.is_file() else examples)
    return join_native_groups(name, catalogue, list(group_examples(name, written, catalogue, p)))


def main(examples: Path, folder: Path) -> None:
    version = config.load("written_suite", WrittenSuiteConfig).version
    write_draft(folder, build_suite(folder.name, examples, SHOP), version)


if __name__ == "__main__":
    cli.run(main)
