"""xLAM's unified format: a query, tools, and steps of thought, calls and the next observation.

A step without calls has its text in the place of the thought. `user_input` is the user's text
after a step.
"""

from collections.abc import Iterator
from typing import ClassVar

import msgspec

from agent_tuning.converters import python_types, row_fields, row_parts, rows
from agent_tuning.prompts.formats.reading import format_json
from agent_tuning.prompts.tool_lists.documents import build_function
from agent_tuning.records import Group, Json, Turn, User


class Step(msgspec.Struct):
    thought: str = ""
    tool_calls: list[dict[str, Json]] = []
    step_id: int | str | None = None
    next_observation: Json = ""
    user_input: str | None = ""


class Row(msgspec.Struct):
    query: str
    tools: list[dict[str, Json] | str] | str
    steps: list[Step]
    unique_trajectory_id: str | int | None = None
    task_instruction: str | None = ""
    format_instruction: str | None = ""
    few_shot_examples: list[Json] | None = []
    facets: str = ""
    # The instructions are those of xLAM's own prompt, which our templates replace.
    IGNORED: ClassVar = row_fields.ABOUT_A_ROW


def write(group: Group) -> Row:
    trajectory = rows.only_trajectory(group)
    steps = rows.split_steps(trajectory)
    pairs = zip(steps, [*steps[1:], None], strict=True)
    return Row(
        query=steps[0].user_text or "",
        tools=[build_function(python_types.write_tool(tool)) for tool in group.tools],
        steps=[_write_step(n, step, following) for n, (step, following) in enumerate(pairs, 1)],
        unique_trajectory_id=trajectory.id,
        facets=rows.write_facets(group),
    )


def _write_step(number: int, step: rows.Step, following: rows.Step | None) -> Step:
    contents = [result.content for result in step.results]
    observation = (
        format_json(contents)
        if len(contents) > 1
        else "".join(map(row_parts.write_observation, contents))
    )
    return Step(
        thought=row_parts.join_thought(step.decision),
        tool_calls=list(map(row_parts.write_call, step.decision.calls)),
        step_id=number,
        next_observation=observation,
        user_input=following.user_text or "" if following else "",
    )


def read(row: Row) -> Group:
    tools = row_parts.read_tools(row.tools, bool(row.facets), python_types.read_parameters)
    return rows.build_group(_read_turns(row), tools, row.facets)


def _read_turns(row: Row) -> Iterator[Turn | rows.System]:
    yield rows.System(row.task_instruction or "")
    yield User(row.query)
    for number, step in enumerate(row.steps, 1):
        place = f"steps.{number - 1}"
        calls = [
            row_parts.read_call(value, f"{place}.tool_calls.{n}")
            for n, value in enumerate(step.tool_calls)
        ]
        yield (
            row_parts.build_call_turn(step.thought, calls)
            if calls
            else row_parts.build_answer(step.thought)
        )
        if calls and (number < len(row.steps) or step.next_observation not in ("", None)):
            text = step.next_observation
            value = row_parts.read_observation(text) if isinstance(text, str) else text
            several = len(calls) > 1 and isinstance(value, list)
            values = value if several else [value]
            yield from row_parts.build_results(calls, values, f"{place}.next_observation")
        elif not (calls or row_fields.says_nothing(step.next_observation)):
            raise ValueError(f"{place}.next_observation: expected none, because nothing is called")
        if step.user_input:
            yield User(step.user_input)
