"""The BFCL- and the NESTFUL-derived suite, and the queries that training may not contain.

A derived suite is a folder of its own. The overlays with our errata of it are beside the house
suite, in the folder of the suite's name, and travel with it.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from agent_tuning.files import jsonl
from agent_tuning.quality.decontamination import ProtectedQuery
from agent_tuning.records import Record, User
from agent_tuning.runtime.ranges import AtLeastOne
from benchmark.sources import bfcl, distractors, nestful
from benchmark.tasks import suites
from benchmark.tasks.episodes import Episodes
from benchmark.tasks.suites import Suite


class NestedConfig(Record, frozen=True):
    """What differs for NESTFUL; its groups have no tasks without a call."""

    limits: nestful.Limits
    calls_per_group: AtLeastOne


class SuitesConfig(Record, frozen=True):
    """`calls` and `no_calls` are BFCL's categories."""

    calls: tuple[str, ...]
    no_calls: tuple[str, ...]
    limits: bfcl.Limits
    nested: NestedConfig
    tool_lists: distractors.DistractorsConfig


def derive_from_bfcl(raw: Path, name: str, p: SuitesConfig) -> tuple[Suite, Counter[str]]:
    """The suite, and how many questions were dropped for which reason."""
    questions, answers = bfcl.read(raw, p.calls, p.no_calls)
    items, dropped = bfcl.build_items(questions, answers, p.limits)
    suite, unused = distractors.derive_suite(name, items, p.tool_lists)
    return suite, dropped + unused


def derive_from_nestful(raw: Path, name: str, p: SuitesConfig) -> tuple[Suite, Counter[str]]:
    """The suite, and how many questions were dropped for which reason."""
    items, dropped = nestful.build_items(raw, p.nested.limits)
    tool_lists = msgspec.structs.replace(
        p.tool_lists, calls_per_group=p.nested.calls_per_group, no_calls_per_group=0
    )
    suite, unused = nestful.derive_suite(name, items, tool_lists)
    return suite, dropped + unused


def write_with_errata(suite: Suite, folder: Path, errata: Path) -> None:
    """Write a derived suite with our errata of it."""
    suites.write(folder, suite)
    for overlay in suites.list_overlays(errata):
        jsonl.write(folder / overlay.relative_to(errata), jsonl.read(overlay, suites.Erratum))
    suites.read(folder)  # an erratum of no task here fails now, not where it is scored


def list_task_queries(suite: Suite) -> Iterator[ProtectedQuery]:
    """Every user turn of every task."""
    for task in suite.tasks:
        tools = tuple(tool.name for tool in suite.prompt(task).tools)
        for turn in task.turns:
            if isinstance(turn, User):
                yield ProtectedQuery(turn.text, task.id, tools)


def list_episode_queries(suite: Episodes) -> Iterator[ProtectedQuery]:
    """The query of every episode."""
    for episode in suite.episodes:
        tools = tuple(tool.name for tool in suite.prompt(episode).tools)
        yield ProtectedQuery(episode.query, episode.id, tools)
