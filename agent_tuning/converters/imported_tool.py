"""A tool as other people describe it, before it is an entry of the catalogue."""

from agent_tuning.records import Json, Record


class ImportedTool(Record, frozen=True):
    place: str  # where it stands in its file
    name: str
    description: str
    parameters: dict[str, Json]
    observations: tuple[dict[str, Json], ...] = ()
