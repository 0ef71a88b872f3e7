"""xLAM's unified format: a query, tools, and steps of thought, calls and the next observation.

A step without calls says its text where a thought would stand. `user_input` is what the user
says after a step.
"""

from collections.abc import Iterator

import msgspec

from agent_tuning.converters import rows, xlam
from agent_tuning.prompts.formats.reading import format_json
from agent_tuning.records import Group, Json, Turn, User


class Step(msgspec.Struct):
    thought: str = ""
    tool_calls: list[dict[str, Json]] = []
    step_id: int | str | None = None
    next_observation: Json = ""
    user_input: str | None = ""


class Row(msgspec.Struct):
    query: str
    tools: list[dict[str, Json]] | str
    steps: list[Step]
    unique_trajectory_id: str | int | None = None
    task_instruction: str | None = ""
    format_instruction: str | None = ""
    few_shot_examples: list[Json] | None = []
    facets: str = ""


def write(group: Group) -> Row:
    one = rows.only_trajectory(group)
    taken = rows.split_steps(one)
    steps = [_step(n, step, following) for n, (step, following) in
             enumerate(zip(taken, [*taken[1:], None], strict=True), 1)]  # fmt: skip
    return Row(
        query=taken[0].said or "",
        tools=[xlam.write_tool(tool) for tool in group.tools],
        steps=steps,
        unique_trajectory_id=one.id,
        facets=rows.write_facets(group),
    )


def _step(number: int, step: rows.Step, following: rows.Step | None) -> Step:
    contents = [result.content for result in step.results]
    seen = (
        format_json(contents)
        if len(contents) > 1
        else "".join(map(rows.write_observation, contents))
    )
    return Step(
        thought=rows.join_thought(step.decision),
        tool_calls=list(map(rows.write_call, step.decision.calls)),
        step_id=number,
        next_observation=seen,
        user_input=following.said or "" if following else "",
    )


def read(row: Row) -> Group:
    tools = tuple(map(xlam.read_tool, rows.read_tools(row.tools)))
    return rows.build_group(list(_turns(row)), tools, row.facets, row.task_instruction or "")


def _turns(row: Row) -> Iterator[Turn]:
    yield User(row.query)
    for number, step in enumerate(row.steps, 1):
        calls = [rows.read_call(value) for value in step.tool_calls]
        yield (
            rows.build_call_turn(step.thought, calls) if calls else rows.build_answer(step.thought)
        )
        if calls and (number < len(row.steps) or step.next_observation not in ("", None)):
            text = step.next_observation
            value = rows.read_observation(text) if isinstance(text, str) else text
            several = len(calls) > 1 and isinstance(value, list)
            yield from rows.build_results(calls, value if several else [value])
        if step.user_input:
            yield User(step.user_input)
