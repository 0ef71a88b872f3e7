"""A tool as other people describe it, before it becomes a catalogue entry."""

from agent_tuning.records import Json, Record


class ImportedTool(Record, frozen=True):
    place: str  # its keys in the source file
    name: str
    description: str
    parameters: dict[str, Json]
    observations: tuple[dict[str, Json], ...] = ()
