"""Deepexi's table of requests in Chinese, each with the call that meets it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from agent_tuning.converters import load
from agent_tuning.records import Assistant, Call, User
from tests.support import import_stage

TICKET = {
    "name": "RenewTicket",
    "description": "给渡轮月票续期。",
    "parameters": {
        "type": "object",
        "properties": {
            "Ticket": {"type": "string", "description": "月票号。"},
            "Months": {"type": "integer", "description": "月数。"},
        },
        "required": ["Ticket"],
    },
}
QUAY = {"name": "ListQuays", "description": "列出码头。", "parameters": {}}
FORM = '"\n 请以如下格式回复：:\n {"function": "function_name", "arguments": {"argument1": value1}}'


def row(asked: str, reply: str, tools: Any = (TICKET, QUAY), **fields: Any) -> dict[str, Any]:
    listed = "\n\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools)
    system = f"你可以使用下面的函数:\n{listed}\n\n{FORM}"
    return {"systemPrompt": system, "userPrompt": asked, "assistantResponse": reply, **fields}


def reply(function: str, arguments: Any) -> str:
    return json.dumps({"function": function, "arguments": arguments}, indent=4)


GOOD = row(' "把月票"A17"续三个月。" ', reply("RenewTicket", [{"Ticket": "A17", "Months": 3}]))


def test_a_row_becomes_a_request_and_its_call():
    group = import_stage.read("deepexi", GOOD)
    (trajectory,) = group.trajectories
    assert trajectory.turns == (
        User('把月票"A17"续三个月。'),
        Assistant("call", calls=(Call("RenewTicket", {"Ticket": "A17", "Months": 3}),)),
    )
    assert trajectory.language == "zh"
    assert [tool.name for tool in group.tools] == ["RenewTicket", "ListQuays"]


@pytest.mark.parametrize("given", [{}, [], [{}], None])
def test_a_call_may_have_no_arguments(given):
    group = import_stage.read("deepexi", row("有哪些码头？", reply("ListQuays", given)))
    assert group.trajectories[0].turns == (
        User("有哪些码头？"),
        Assistant("call", calls=(Call("ListQuays", {}),)),
    )


def changed(old: str, new: str) -> dict[str, Any]:
    return {**GOOD, "systemPrompt": GOOD["systemPrompt"].replace(old, new)}


CORRUPT = {
    "assistantResponse: expected JSON": row("码头？", '{"function": "ListQuays",\n "arg'),
    "assistantResponse: Object contains unknown field `text`": row(
        "码头？", '{"function": "ListQuays", "text": "a"}'
    ),
    "assistantResponse: Object missing required field `function`": row("码头？", "{}"),
    "assistantResponse: Expected `object`, got `array`": row(
        "码头？", reply("ListQuays", [{}, {}])
    ),
    "systemPrompt: expected tools in JSON": row("码头？", reply("ListQuays", {}), tools=()),
    "systemPrompt: expected JSON": changed('"月票号。"}', '"月票号。'),
    "tools.0: unknown field `output`": changed('{"name": "R', '{"output": 1, "name": "R'),
    "unknown field `score`": {**GOOD, "score": 1},
}


@pytest.mark.parametrize("problem", CORRUPT)
def test_a_row_that_cannot_be_read_is_one_line_that_names_the_place(problem):
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}") as error:
        import_stage.read("deepexi", CORRUPT[problem])
    assert "\n" not in str(error.value)


def test_the_stage_reads_the_table_and_counts_every_row(workplace):
    unlisted = row("续期 A17。", reply("RenewTicket", {"Ticket": "A17"}), tools=[QUAY])
    corrupt = [one for problem, one in CORRUPT.items() if "score" not in problem]
    rows = [GOOD, GOOD, unlisted, *corrupt]
    hub = import_stage.publish(workplace / "hub", rows, "data/functions_V3.csv")
    done = import_stage.run(hub, "deepexi", splits=["train"])
    (group,) = done.groups
    assert group.trajectories[0].turns == (import_stage.read("deepexi", GOOD).trajectories[0].turns)
    assert done.reasons == {"unreadable": len(corrupt), "duplicate": 1, "not_on_menu": 1}
    alone = load.read_rows("deepexi", str(Path("hub/data/functions_V3.csv")))
    assert len(list(alone)) == len(rows)
