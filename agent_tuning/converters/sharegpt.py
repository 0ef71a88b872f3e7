"""AgentInstruct's and ShareGPT's `conversations`: text only, between human and gpt.

An agent's row begins with the prompt and an untrained `OK.`. Its replies are ReAct, whatever reply
format the group has, and an observation is one line. `loss: false` and `weight: 0` are not trained.
In rows of others actions stay text, because each data set writes them in its own way.
"""

from collections.abc import Iterator
from typing import ClassVar, Literal

import msgspec

from agent_tuning.converters import row_fields, row_parts, rows
from agent_tuning.prompts import system_prompt
from agent_tuning.prompts.formats.react import FORMAT as REACT
from agent_tuning.prompts.formats.reading import format_json
from agent_tuning.prompts.tool_lists.documents import build_function
from agent_tuning.records import Assistant, Group, Json, Tool, Turn, User

OBSERVATION = "Observation: "
READY = "OK."


class Utterance(msgspec.Struct, omit_defaults=True):
    speaker: str = msgspec.field(name="from")
    value: str
    loss: bool | None = None
    weight: Literal[0, 1] | None = None

    @property
    def trained(self) -> bool:
        return self.loss is not False and self.weight != 0


class Row(msgspec.Struct, omit_defaults=True):
    conversations: list[Utterance]
    id: str | int | None = None
    system: str | None = None
    tools: str | list[dict[str, Json] | str] | None = (
        None  # ours only: others name them in the text
    )
    facets: str = ""
    IGNORED: ClassVar = row_fields.ABOUT_A_ROW


def write(group: Group) -> Row:
    conversation = list(_write_prompt(group)) if group.tools else []
    for step in rows.split_steps(rows.only_trajectory(group)):
        if step.user_text is not None:
            conversation.append(Utterance("human", step.user_text))
        decision = step.decision
        text = REACT.write(decision) if group.tools else row_parts.join_thought(decision)
        conversation.append(Utterance("gpt", text, decision.trained))
        if step.results:
            lines = [OBSERVATION + format_json(result.content) for result in step.results]
            conversation.append(Utterance("human", "\n".join(lines)))
    tools = format_json([build_function(tool) for tool in group.tools]) if group.tools else ""
    return Row(conversation, rows.only_trajectory(group).id, None, tools, rows.write_facets(group))


def _write_prompt(group: Group) -> Iterator[Utterance]:
    prompt = group.prompt
    ours = not prompt.native  # a chat template's prompt is written for one model
    spec = msgspec.structs.replace(
        prompt,
        template=(ours and prompt.template) or f"plain.{group.language}",
        tool_format=(ours and prompt.tool_format) or "react",
        reply_format="react",
    )
    text = system_prompt.build(spec)
    yield Utterance("human", f"{prompt.instructions}\n\n{text}".lstrip())
    yield Utterance("gpt", READY, loss=False)


def read(row: Row) -> Group:
    if row.tools and not row.facets:
        raise ValueError("tools: rows with a list of tools are of the format llama_factory")
    tools = row_parts.read_tools(row.tools, ours=True)
    if tools:
        return rows.build_group(_read_agent_turns(row.conversations[2:], tools), tools, row.facets)
    said = _read_plain_turns(row.conversations)
    return rows.build_group([rows.System(row.system or ""), *said], tools, row.facets)


def _read_plain_turns(conversation: list[Utterance]) -> Iterator[Turn | rows.System]:
    """Plain conversation."""
    for number, utterance in enumerate(conversation):
        match utterance.speaker:
            case "system":
                yield rows.System(utterance.value)
            case "human" | "user":
                yield User(utterance.value)
            case "gpt" | "assistant":
                yield row_parts.build_answer(utterance.value, utterance.trained)
            case speaker:
                raise ValueError(f"conversations.{number}.from: unknown speaker {speaker!r}")


def _read_agent_turns(conversation: list[Utterance], tools: tuple[Tool, ...]) -> Iterator[Turn]:
    """An agent's conversation, as we write it."""
    last: Assistant | None = None
    for utterance in conversation:
        if utterance.speaker == "gpt":
            last = REACT.read(utterance.value, tools)
            yield last
        elif last is not None and last.calls:
            lines = [line.removeprefix(OBSERVATION) for line in utterance.value.split("\n")]
            yield from row_parts.build_results(
                last.calls, [msgspec.json.decode(line) for line in lines]
            )
        else:
            yield User(utterance.value)
