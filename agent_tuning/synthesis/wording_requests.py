"""What a chat model is asked to write: examples of one kind, of one tool or two, in one voice.

A prompt is made of the tools' names, descriptions and schemas alone. Neither the phrasings of the
catalogue nor any suite is in it: what a model writes then is free of both.
"""

import math
import random
import string
from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec

from agent_tuning.chat_model.messages import Ask, Message
from agent_tuning.prompts import system_prompt
from agent_tuning.records import Json, Record, Tool
from agent_tuning.runtime.ranges import AtLeastOne, Count, Seed, Share
from agent_tuning.synthesis.written_checks import CALL_KINDS, find_decision
from agent_tuning.synthesis.written_examples import Kind

VoiceName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9_]+$")]  # it becomes a file's name

NEED_REQUIRED_ARGUMENT: tuple[Kind, ...] = ("missing_argument", "follow_up")
MAX_QUOTED = 240  # characters of an earlier example that a later request quotes
INITIALS = [letter for letter in string.ascii_uppercase if letter not in "QXYZ"]


class WordingsConfig(Record, frozen=True):
    """The section `wordings` of params.yaml, where each key is explained."""

    seed: Seed
    examples: dict[Kind, Count]
    off_topics: tuple[str, ...]
    voices: Annotated[dict[VoiceName, str], msgspec.Meta(min_length=1)]
    examples_per_request: AtLeastOne
    attempts: AtLeastOne
    max_tokens: AtLeastOne
    max_rejected: Share


class Assignment(Record, frozen=True):
    """Examples of one kind in one voice that a chat model is to write.

    `tools` is one tool, two for `multi`, and none for `off_topic`, which has a `subject`. `round`
    counts the earlier assignments of the same name: more examples may be wanted later.
    """

    kind: Kind
    voice: str
    tools: tuple[Tool, ...]
    subject: str
    wanted: int
    round: int = 0

    @property
    def name(self) -> str:
        """Such as `call check_stock, hurried`."""
        about = " + ".join(tool.name for tool in self.tools) or self.subject
        return f"{self.kind} {about}, {self.voice}"

    @property
    def required(self) -> tuple[str, ...]:
        """The required arguments of the (first) tool."""
        return list_required(self.tools[0]) if self.tools else ()


def list_assignments(tools: Sequence[Tool], p: WordingsConfig) -> Iterator[Assignment]:
    """All that is wanted, in the order in which it will be written: voice by voice."""
    kinds = {kind: count for kind, count in p.examples.items() if count}
    for voice in p.voices:
        for tool in tools:
            for kind, count in kinds.items():
                if kind == "off_topic" or (
                    kind in NEED_REQUIRED_ARGUMENT and not list_required(tool)
                ):
                    continue
                partners = [draw_partner(tool, tools, voice, p.seed)] if kind == "multi" else []
                yield Assignment(kind, voice, (tool, *partners), "", count)
        for subject in p.off_topics if "off_topic" in kinds else ():
            yield Assignment("off_topic", voice, (), subject, kinds["off_topic"])


def list_required(tool: Tool) -> tuple[str, ...]:
    return tuple(tool.parameters.get("required", ()))


def draw_partner(tool: Tool, tools: Sequence[Tool], voice: str, seed: int) -> Tool:
    """The other tool of two calls at once; it may be the same one.

    Every tool draws a number, and the lowest wins. So one more tool leaves most pairs as they are.
    """
    return min(
        tools, key=lambda other: random.Random(f"{seed}:{voice}:{tool.name}:{other.name}").random()
    )


def count_requests(wanted: int, p: WordingsConfig) -> int:
    """How many requests these examples take if every reply is sound."""
    return math.ceil(wanted / p.examples_per_request)


def build_ask(
    assignment: Assignment,
    menu: Sequence[Tool],
    p: WordingsConfig,
    count: int,
    written: Sequence[str] = (),
    rejected: Sequence[str] = (),
) -> Ask:
    """Ask for `count` examples, after those `written` and `rejected` in earlier replies."""
    rng = random.Random(f"{p.seed}:{assignment.name}:{assignment.round}")
    schemas = {
        tool.name: msgspec.json.encode(tool.parameters).decode() for tool in assignment.tools
    }
    text = system_prompt.fill_template(
        "wordings/request",
        menu=menu,
        schemas=list(schemas.items()),
        names=[tool.name for tool in assignment.tools],
        required=assignment.required,
        subject=assignment.subject,
        kind=assignment.kind,
        decision=find_decision(assignment.kind),
        count=count,
        voice=p.voices[assignment.voice],
        letters=rng.sample(INITIALS, 3),
        round=assignment.round,
        written=[quote(query) for query in written],
        rejected=[quote(problem) for problem in rejected],
    )
    return Ask(assignment.name, (Message("user", text),), build_schema(assignment, count))


def quote(text: str) -> str:
    """The text in one line, cut to a length that the cost of a request can be bounded with."""
    line = " ".join(text.split())
    return line if len(line) <= MAX_QUOTED else f"{line[: MAX_QUOTED - 1]}…"


def build_schema(assignment: Assignment, count: int) -> dict[str, Json]:
    """JSON Schema of the reply; `arguments` are held to the schema of the very tool."""
    text: Json = {"type": "string"}
    kind = assignment.kind
    fields: dict[str, Json] = {"query": text, "thought": text}
    if kind in CALL_KINDS or kind == "missing_argument":
        fields["calls"] = _build_calls_schema(assignment)
    else:
        fields["text"] = text
    if kind == "follow_up":
        fields = {"first": text, "question": text} | fields
    if kind == "missing_argument":
        fields = {"argument": {"enum": list(assignment.required)}} | fields
        fields["without"] = _build_object({"query": text, "thought": text, "text": text})
    least = 0 if kind == "chain" else 1
    examples = {
        "type": "array",
        "items": _build_object(fields),
        "minItems": least,
        "maxItems": count,
    }
    return _build_object({"examples": examples})


def _build_calls_schema(assignment: Assignment) -> dict[str, Json]:
    tools = {tool.name: tool.parameters for tool in assignment.tools}
    calls = [
        _build_object({"name": {"const": name}, "arguments": parameters})
        for name, parameters in tools.items()
    ]
    number = len(assignment.tools)
    return {"type": "array", "items": {"anyOf": calls}, "minItems": number, "maxItems": number}


def _build_object(fields: dict[str, Json]) -> dict[str, Json]:
    return {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }
