"""AgentInstruct's and ShareGPT's `conversations`: text only, between human and gpt.

An agent's row begins with the prompt and an untrained `OK.`, and its replies are ReAct, whatever
format the group has been given; an observation is a line. `loss: false` is not trained. Rows
of others are read as they stand: their actions stay text, since each set words them in its way.
"""

from collections.abc import Iterator

import msgspec

from agent_tuning.converters import rows
from agent_tuning.prompts import system_prompt
from agent_tuning.prompts.formats.react import FORMAT as REACT
from agent_tuning.prompts.formats.reading import format_json
from agent_tuning.records import Assistant, Group, Json, Tool, Turn, User

OBSERVATION = "Observation: "
READY = "OK."


class Utterance(msgspec.Struct, omit_defaults=True):
    speaker: str = msgspec.field(name="from")
    value: str
    loss: bool | None = None


class Row(msgspec.Struct, omit_defaults=True):
    conversations: list[Utterance]
    id: str | int | None = None
    system: str | None = None
    tools: str | list[dict[str, Json]] | None = None  # ours only: their menus are part of the text
    facets: str = ""


def write(group: Group) -> Row:
    said = list(_prompt(group)) if group.tools else []
    for step in rows.split_steps(rows.only_trajectory(group)):
        if step.said is not None:
            said.append(Utterance("human", step.said))
        decision = step.decision
        text = REACT.write(decision) if group.tools else rows.join_thought(decision)
        said.append(Utterance("gpt", text, decision.trained))
        if step.results:
            lines = [OBSERVATION + format_json(result.content) for result in step.results]
            said.append(Utterance("human", "\n".join(lines)))
    tools = format_json([rows.write_tool(tool) for tool in group.tools]) if group.tools else ""
    return Row(said, rows.only_trajectory(group).id, None, tools, rows.write_facets(group))


def _prompt(group: Group) -> Iterator[Utterance]:
    spec = msgspec.structs.replace(
        group.prompt,
        template=group.prompt.template or f"plain.{group.language}",
        tool_format=group.prompt.tool_format or "react",
        reply_format="react",
    )
    text = system_prompt.build(spec)
    yield Utterance("human", text)
    yield Utterance("gpt", READY, loss=False)


def read(row: Row) -> Group:
    tools = rows.read_tools(row.tools) if row.facets else ()
    turns = list(_acted(row.conversations[2:], tools) if tools else _spoken(row.conversations))
    return rows.build_group(turns, tools, row.facets, row.system or "")


def _spoken(conversation: list[Utterance]) -> Iterator[Turn]:
    """Plain conversation."""
    system = []
    for number, said in enumerate(conversation):
        match said.speaker:
            case "system":
                system.append(said.value)
            case "human" | "user":
                yield User("\n\n".join([*system, said.value]))
                system.clear()
            case "gpt" | "assistant":
                yield rows.build_answer(said.value, said.loss is not False)
            case speaker:
                raise ValueError(f"conversations.{number}.from: unknown speaker {speaker!r}")


def _acted(conversation: list[Utterance], tools: tuple[Tool, ...]) -> Iterator[Turn]:
    """An agent's conversation, as we write it."""
    before: Assistant | None = None
    for said in conversation:
        if said.speaker == "gpt":
            before = REACT.read(said.value, tools)
            yield before
        elif before is not None and before.calls:
            lines = [line.removeprefix(OBSERVATION) for line in said.value.split("\n")]
            yield from rows.build_results(
                before.calls, [msgspec.json.decode(line) for line in lines]
            )
        else:
            yield User(said.value)
