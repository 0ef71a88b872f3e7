"""axe-core, which checks a page against WCAG: from a pinned wheel, that is never installed."""

from pathlib import Path
from typing import Any

from agent_tuning.files.wheels import extract_members

WHEEL = ("axe-playwright-python", "0.1.8")
SHA256 = "fdd263c998388f1a8e67cad02677e612d946248bd44d163be5e8650ea31f95f8"
MEMBER = "axe_playwright_python/axe.min.js"
SCRATCH = Path(__file__).parents[2] / "scratch" / "axe"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def fetch_axe() -> str:
    """The script. Raises BadInput if there is no package index to take it from."""
    script = SCRATCH / "axe.min.js"
    if not script.exists():
        extract_members(*WHEEL, SHA256, {MEMBER: script}, SCRATCH)
    return script.read_text()


def find_violations(driver: Any, script: str) -> list[str]:
    """Rule and elements of every violation on the page that the driver shows."""
    # Scripts that the driver runs are not subject to the page's content policy.
    driver.execute_script(script)
    result = driver.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        "axe.run(document, {runOnly: arguments[0], resultTypes: ['violations']}).then(done);",
        RULES,
    )
    return [
        f"{violation['id']}: {[node['html'][:120] for node in violation['nodes']]}"
        for violation in result["violations"]
    ]
