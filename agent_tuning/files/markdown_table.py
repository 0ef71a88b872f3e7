"""Tables in Markdown whose cells may hold any text."""

from collections.abc import Sequence


def format_row(cells: Sequence[str]) -> str:
    """One line; a cell's `|` and line ends do not end the cell."""
    escaped = (" ".join(cell.split()).replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |\n"
