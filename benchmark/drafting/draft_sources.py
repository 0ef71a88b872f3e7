"""What a draft is made of: the catalogue, the wordings, and what training does not use.

The suites use what training does not, to test whether a skill transfers.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.catalogue.wordings import Phrasing
from agent_tuning.files import yaml_records
from agent_tuning.records import Record
from agent_tuning.synthesis.general_questions import GeneralQuestions


class TrainingTools(Record, frozen=True, forbid_unknown_fields=False):
    """The section `plan`: names of tools that no training prompt lists."""

    held_out_tools: tuple[str, ...]


class HeldOut(Record, frozen=True):
    """Templates and tool formats that no training prompt has."""

    templates: tuple[str, ...]
    tool_formats: tuple[str, ...]


class TrainingFormats(Record, frozen=True, forbid_unknown_fields=False):
    """The section `diversify`."""

    held_out: HeldOut


class DraftSources(NamedTuple):
    """All that a draft needs besides its numbers."""

    catalogue: Catalogue
    phrasing: Phrasing
    general_questions: GeneralQuestions
    held_out_tools: Sequence[str]
    held_out: HeldOut


def read_sources(held_out_tools: Sequence[str], held_out: HeldOut) -> DraftSources:
    return DraftSources(
        Catalogue(Path("data/catalogue")),
        yaml_records.read(Path("data/phrasing.yaml"), Phrasing),
        yaml_records.read(Path("data/general.yaml"), GeneralQuestions),
        held_out_tools,
        held_out,
    )
