"""Dialogues whose speakers take turns and whose calls stand in the texts, as several sets have."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from agent_tuning.records import Assistant, Call, ToolResult, Turn, User

Speaker = Literal["system", "user", "assistant", "tool"]


class Utterance(msgspec.Struct):
    speaker: str = msgspec.field(name="from")
    value: str


def read_turns(
    said: Sequence[Utterance],
    speakers: Mapping[str, Speaker],
    read_reply: Callable[[str, str], Assistant],
    read_results: Callable[[Sequence[Call], str, str], list[ToolResult]],
) -> Iterator[Turn]:
    """The turns of a dialogue without its system prompt; `speakers` gives what a set calls them.

    A reply is read from its text, results from the calls before them and their text; both get the
    place that an error names. Raises ValueError for any other speaker.
    """
    calls: tuple[Call, ...] = ()
    for number, utterance in enumerate(said):
        place = f"conversations.{number}.value"
        match speakers.get(utterance.speaker):
            case "system":
                continue
            case "user":
                yield User(utterance.value)
            case "assistant":
                yield (turn := read_reply(utterance.value, place))
                calls = turn.calls
            case "tool":
                yield from read_results(calls, utterance.value, place)
                calls = ()
            case None:
                unknown = f"unknown speaker {utterance.speaker!r}"
                raise ValueError(f"conversations.{number}.from: {unknown}")
