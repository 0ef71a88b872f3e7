"""Deepexi's calls for requests in Chinese, a CSV table with the tools of OpenAI.

`systemPrompt` has the tools, one JSON object each, and then the form of a reply, which our
templates replace. `assistantResponse` is one JSON object; its arguments may be a list of one
object. There are no results, and no requests that no tool can meet.
"""

from collections.abc import Iterator
from typing import ClassVar

import msgspec

from agent_tuning.converters import row_fields, row_parts, rows
from agent_tuning.files import strict_json
from agent_tuning.records import Assistant, Call, Group, Json, Turn, User

REPLY_FORM = "请以如下格式回复"  # "please reply in the following form"


class Row(msgspec.Struct):
    tools: str = msgspec.field(name="systemPrompt")
    request: str = msgspec.field(name="userPrompt")
    reply: str = msgspec.field(name="assistantResponse")
    IGNORED: ClassVar = row_fields.ABOUT_A_ROW


class _Reply(msgspec.Struct, forbid_unknown_fields=True):
    function: str
    arguments: Json = None


def read(row: Row) -> Group:
    """A group of one. Raises ValueError with field and problem."""
    listed = row.tools.partition(REPLY_FORM)[0]
    tools = row_parts.read_tools(list(_read_objects(listed, "systemPrompt")), ours=False)
    if not tools:
        raise ValueError("systemPrompt: expected tools in JSON")
    call = _read_call(row.reply, "assistantResponse")
    turns: list[Turn] = [User(_unquote(row.request)), Assistant("call", calls=(call,))]
    return rows.build_group(turns, tools, "")


def _read_objects(text: str, field: str) -> Iterator[Json]:
    """The JSON objects in a text."""
    start = text.find("{")
    while start >= 0:
        value, end = row_parts.read_json_at(text, start, field)
        yield value
        start = text.find("{", end)


def _read_call(text: str, field: str) -> Call:
    try:
        reply = msgspec.convert(strict_json.decode_text(text, field), _Reply)
    except msgspec.ValidationError as error:
        raise ValueError(f"{field}: {error}") from error
    given = reply.arguments
    if isinstance(given, list) and len(given) == 1:
        given = given[0]
    return row_parts.read_call({"name": reply.function, "arguments": given}, field)


def _unquote(text: str) -> str:
    """A request without the quotes that stand around most of them."""
    bare = text.strip()
    quoted = len(bare) > 1 and bare[0] == bare[-1] == '"'
    return bare[1:-1].strip() if quoted else bare
