"""What a draft is made of: the catalogue, the wordings, and what training does not use.

The suites use what training does not, to test whether a skill transfers.
"""

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.catalogue.wordings import Phrasing
from agent_tuning.files import yaml_records
from agent_tuning.synthesis.general_questions import GeneralQuestions
from agent_tuning.synthesis.held_out import HeldOut

SHOP = "specialist"  # the recipe whose suites are kept in this repository


class DraftSources(NamedTuple):
    """All that a draft needs besides its numbers."""

    catalogue: Catalogue
    phrasing: Phrasing
    general_questions: GeneralQuestions
    held_out: HeldOut


def read_sources(held_out: HeldOut, domains: Collection[str] | None = None) -> DraftSources:
    """The files of this repository, with the tools of some domains or of all."""
    return DraftSources(
        Catalogue(Path("data/catalogue"), domains),
        yaml_records.read(Path("data/phrasing.yaml"), Phrasing),
        yaml_records.read(Path("data/general.yaml"), GeneralQuestions),
        held_out,
    )
