"""OpenAssistant's trees of messages: each row is a message, and a tree becomes one conversation.

That is the path of the best replies, from the first prompt down. Replies to one message have ranks,
0 for the best; one without a rank comes last. Messages that are deleted or that reviewers refused
are left out, with all that answers them.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

import msgspec

from agent_tuning.converters import row_fields, row_parts, rows
from agent_tuning.records import Group, Turn, User


class Row(msgspec.Struct):
    message_id: str
    message_tree_id: str
    role: Literal["prompter", "assistant"]
    text: str
    parent_id: str | None = None
    rank: int | None = None
    deleted: bool | None = None
    review_result: bool | None = None
    # Who wrote it when, and what reviewers and a classifier thought of it.
    IGNORED: ClassVar = row_fields.ABOUT_A_ROW | {
        *("user_id", "created_date", "review_count", "synthetic", "model_name", "detoxify"),
        *("tree_state", "emojis", "labels"),
    }


def get_tree(row: Row) -> str:
    return row.message_tree_id


def read(messages: Sequence[Row]) -> Group:
    """A group of one, of the messages of one tree. Raises ValueError with field and problem."""
    if len({message.message_id for message in messages}) < len(messages):
        raise ValueError("message_id: two messages of the tree have the same")
    return rows.build_group(_read_path(messages), [], "")


def _read_path(messages: Sequence[Row]) -> Iterator[Turn]:
    replies: dict[str | None, list[Row]] = defaultdict(list)
    for message in messages:
        if not message.deleted and message.review_result is not False:
            replies[message.parent_id].append(message)
    if len(replies[None]) != 1:
        raise ValueError(f"parent_id: {len(replies[None])} messages without one, expected 1")
    reply: Row | None = replies[None][0]
    role = "prompter"
    while reply:
        if reply.role != role:
            raise ValueError(f"role: message {reply.message_id}: expected {role}")
        assistant = role == "assistant"
        yield row_parts.build_answer(reply.text) if assistant else User(reply.text)
        role = "prompter" if assistant else "assistant"
        # Of equals the first, as the file has them.
        reply = min(replies.pop(reply.message_id, []), key=_get_rank, default=None)


def _get_rank(message: Row) -> float:
    return float("inf") if message.rank is None else message.rank
