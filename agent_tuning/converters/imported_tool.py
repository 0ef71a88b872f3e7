"""A tool as other people describe it, before it becomes a catalogue entry."""

from agent_tuning.records import Json, Record


class ImportedTool(Record, frozen=True):
    place: str  # its keys in the source file
    name: str
    description: str
    parameters: dict[str, Json]
    observations: tuple[dict[str, Json], ...] = ()
    own: str = ""  # its name in the source, if that is no name here


class UnusableTool(Record, frozen=True):
    """A tool that is left out, and why."""

    place: str
    name: str
    problem: str


Outcome = ImportedTool | UnusableTool
