"""The coverage matrix of a plan as a table, one row for each cell and language."""

from agent_tuning.records import Record


class CoverageRow(Record, frozen=True):
    """How many trajectories the plan asks for: one scenario of one tool in one language."""

    tool: str
    scenario: str
    complexity: str
    language: str
    count: int
