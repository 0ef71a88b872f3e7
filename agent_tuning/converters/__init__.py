"""Other people's trajectories and tools as ours, and ours for them.

A format writes a group of one trajectory as a row, and reads it back. One law is tested over the
whole registry: `read(write(group)) == kept(group)`. `kept` changes the group only in formats that
say what they lose.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from agent_tuning.converters import (
    api_bank,
    aya,
    deepexi,
    hermes,
    llama_factory,
    ms_swift,
    oasst2,
    openai,
    sharegpt,
    toolace,
    toucan,
    when2call,
    xlam,
    xlam_unified,
)
from agent_tuning.records import Group


def keep_all(group: Group) -> Group:
    return group


class RowFormat(NamedTuple):
    row: type[Any]
    write: Callable[[Group], Any]
    read: Callable[[Any], Group]
    kept: Callable[[Group], Group] = keep_all
    loses: str = ""


class RowReader(NamedTuple):
    """Reads a row, or all rows of one `key` together, as a list, where a format has one."""

    row: type[Any]
    read: Callable[[Any], Group]
    key: Callable[[Any], str] | None = None


FORMATS: dict[str, RowFormat] = {
    "sharegpt": RowFormat(sharegpt.Row, sharegpt.write, sharegpt.read),
    "xlam": RowFormat(xlam.Row, xlam.write, xlam.read, xlam.kept, xlam.LOSES),
    "xlam_unified": RowFormat(xlam_unified.Row, xlam_unified.write, xlam_unified.read),
    "openai": RowFormat(openai.Row, openai.write, openai.read),
    "llama_factory": RowFormat(llama_factory.Row, llama_factory.write, llama_factory.read),
    "ms_swift": RowFormat(ms_swift.Row, ms_swift.write, ms_swift.read),
}

# All that can be read; nobody needs our data in the formats of single data sets.
READERS: dict[str, RowReader] = {
    **{name: RowReader(form.row, form.read) for name, form in FORMATS.items()},
    "api_bank": RowReader(api_bank.Row, api_bank.read),
    "toucan": RowReader(toucan.Row, toucan.read),
    "toolace": RowReader(toolace.Row, toolace.read),
    "when2call": RowReader(when2call.Row, when2call.read),
    "hermes": RowReader(hermes.Row, hermes.read),
    "deepexi": RowReader(deepexi.Row, deepexi.read),
    "aya": RowReader(aya.Row, aya.read),
    "oasst2": RowReader(oasst2.Row, oasst2.read, oasst2.get_tree),
}
