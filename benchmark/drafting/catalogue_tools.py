"""The catalogue's tools as tools of a suite, which holds them in several languages."""

from collections.abc import Iterable, Sequence

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.catalogue.entry_records import LANGUAGES
from agent_tuning.records import Language, Tool


def tool_key(tool: str, language: Language) -> str:
    """The key under which a suite holds one language of a tool."""
    return tool if language == "en" else f"{tool}.{language}"


def collect_tools(catalogue: Catalogue, tool_lists: Iterable[Sequence[str]]) -> dict[str, Tool]:
    """The tools whose keys are in `tool_lists`, by key, in the order of the catalogue."""
    used = {key for tool_list in tool_lists for key in tool_list}
    return {
        tool_key(name, language): entry.tool(language)
        for language in LANGUAGES
        for name, entry in catalogue.entries.items()
        if tool_key(name, language) in used
    }
