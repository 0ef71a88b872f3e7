"""The committed params.yaml with the recipe `general`, for tests that are about no recipe."""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
RECIPE = "general"


def read() -> dict[str, Any]:
    sections: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())
    return sections | {"recipe": RECIPE}
