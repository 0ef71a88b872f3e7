"""A repository with a domain of somebody's own beside ours, for tests of recipes and suites."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
BIKES = yaml.safe_load((ROOT / "docs/examples/bikes/bikes.yaml").read_text())
OURS = ("home", "text", "weather")  # domains that need no other; reading all takes seconds
TASKS = ROOT / "docs/examples/bikes/tasks.jsonl"


def build_repository(folder: Path, domains: Iterable[str] = OURS) -> None:
    """Our params.yaml and some domains, none of them anybody's own."""
    shutil.copy(ROOT / "params.yaml", folder)
    (folder / "data/catalogue").mkdir(parents=True)
    for name in domains:
        shutil.copy(ROOT / f"data/catalogue/{name}.yaml", folder / "data/catalogue")
    for name in ("phrasing", "general"):
        (folder / f"data/{name}.yaml").symlink_to(ROOT / f"data/{name}.yaml")


def write_domain(folder: Path, name: str, *tools: str, **changes: Any) -> None:
    """A file of the catalogue: these tools of the bike rental, or all, as a domain of that name."""
    kept = [tool for tool in BIKES["tools"] if not tools or tool["name"] in tools]
    siblings = {tool["name"] for tool in kept}
    kept = [
        tool | {"siblings": [one for one in tool["siblings"] if one in siblings]} for tool in kept
    ]
    domain = BIKES | {"domain": name, "tools": kept} | changes
    (folder / f"data/catalogue/{name}.yaml").write_text(yaml.safe_dump(domain, sort_keys=False))


def strip_scenarios(tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The tools as an import leaves them."""
    return [
        {key: value for key, value in tool.items() if key != "missing"}
        | {"scenarios": [], "remarks": []}
        for tool in tools
    ]
