"""A tool of the catalogue as whoever calls it sees it, where no prompt says in which language."""

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.records import Tool


def show_tool(catalogue: Catalogue, name: str) -> Tool:
    """In English if its domain speaks it, or else in the domain's first language."""
    languages = catalogue.domain_of[name].languages
    return catalogue.tool(name, "en" if "en" in languages else languages[0])
