"""The section `held_out`: what training never sees, so that a suite can ask about it."""

from agent_tuning.records import Record


class HeldOut(Record, frozen=True):
    """Names of tools, templates and tool formats that no training prompt has."""

    tools: tuple[str, ...]
    templates: tuple[str, ...]
    tool_formats: tuple[str, ...]
