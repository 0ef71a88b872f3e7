"""Check BFCL's own golds with our checks: `python -m benchmark.sources.gold_check FOLDER`.

reads   params.yaml: suites;  FOLDER, BFCL's files as published
prints  golds by the first reason to reject them, as published and with types of JSON Schema

A gold is checked with the first accepted value of every argument.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import msgspec

from agent_tuning.catalogue import schema
from agent_tuning.records import Call, Json, Tool
from agent_tuning.runtime import cli, config
from benchmark.sources import bfcl
from benchmark.sources.derived_suites import SuitesConfig

SOUND = "sound"


def find_problem(calls: Sequence[Call], tools: Sequence[Tool]) -> str:
    """The kind of the first problem. Calls are checked only where the tools have no problem."""
    call_problems = (schema.find_call_problem(call, tools) for call in calls)
    problems = chain(schema.find_tool_list_problems(tools), filter(None, call_problems))
    return next(problems, SOUND).partition(":")[0]


def read_gold_calls(answer: bfcl.Answer) -> Iterator[Call]:
    for called in answer.ground_truth:
        for name, accepted in called.items():
            first = {argument: _take_first(values) for argument, values in accepted.items()}
            yield Call(name, {k: value for k, value in first.items() if value != bfcl.OMITTED})


def _take_first(values: Json) -> Json:
    """The first accepted value. In an object, every value is a list of accepted values itself."""
    value = values[0] if isinstance(values, Sequence) and values else values
    if isinstance(value, dict):
        first = {key: _take_first(inner) for key, inner in value.items()}
        return {key: inner for key, inner in first.items() if inner != bfcl.OMITTED}
    return value


def translate_tool(tool: Tool) -> Tool:
    return msgspec.structs.replace(tool, parameters=bfcl.convert_schema(tool.parameters))


def main(folder: Path) -> None:
    questions, answers = bfcl.read(folder, config.load("suites", SuitesConfig).calls, ())
    published: Counter[str] = Counter()
    converted: Counter[str] = Counter()
    for question in questions:
        calls = list(read_gold_calls(answers[question.id]))
        published[find_problem(calls, question.function)] += 1
        converted[find_problem(calls, [translate_tool(tool) for tool in question.function])] += 1
    print(f"{'':20} {'published':>9} {'JSON Schema':>11}")
    for name, _ in (published + converted).most_common():
        print(f"{name:20} {published[name]:9} {converted[name]:11}")
    print(f"{'golds':20} {published.total():9} {converted.total():11}")


if __name__ == "__main__":
    cli.run(main)
