"""Aya's pairs of a request and its answer, written by people in many languages."""

from typing import ClassVar

import msgspec

from agent_tuning.converters import row_fields, row_parts, rows
from agent_tuning.records import Group, User


class Row(msgspec.Struct):
    inputs: str
    targets: str
    IGNORED: ClassVar = row_fields.ABOUT_A_ROW | {"language_code", "annotation_type", "user_id"}


def read(row: Row) -> Group:
    """A group of one. Raises ValueError without an answer."""
    return rows.build_group([User(row.inputs), row_parts.build_answer(row.targets)], [], "")
