"""Names of tools as our formats can write them."""

import re

from agent_tuning.catalogue.entry_records import TOOL_NAME

NOT_IN_NAMES = re.compile(r"[^\w.-]+")


def make_name(name: str) -> str:
    """A name as our formats can write it: letters, digits, `_`, `.` and `-`, a letter first."""
    changed = NOT_IN_NAMES.sub("_", name)
    return changed if TOOL_NAME.fullmatch(changed) or not changed else f"_{changed}"
