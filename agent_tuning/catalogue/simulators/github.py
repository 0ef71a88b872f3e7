"""Seeded repositories: every number has its issue and its pull request, every branch its build."""

from agent_tuning.catalogue.simulators.world import draw, pick
from agent_tuning.records import Json

LABELS = ("bug", "documentation", "enhancement", "question", "security")
TROUBLES = (
    "Crash",
    "Slow response",
    "Wrong text",
    "Missing test",
    "Memory leak",
    "Typo",
    "Timeout",
)
PARTS = ("login page", "parser", "cache", "installer", "search box", "export", "settings menu")
CHANGES = ("Rewrite", "Speed up", "Fix", "Test", "Document", "Simplify")
AUTHORS = ("mia-k", "tomasz", "lin42", "oduya", "carla-p", "jonas", "wei-dev")
BRANCHES = ("fix-cache", "new-parser", "faster-export", "login-v2", "docs-update", "cleanup")
STAGES = ("lint", "unit tests", "packaging", "deploy")


def _is_open(repo: str, number: int) -> bool:
    return draw("open", repo, number, below=3) == 0


def list_issues(repo: str, label: str = "") -> dict[str, Json]:
    """The open issues of a repository."""
    numbers = [
        number
        for number in range(1, 80 + draw("issues", repo, below=60))
        if _is_open(repo, number) and label in ("", pick(LABELS, "label", repo, number))
    ]
    newest, oldest = (numbers[-1], numbers[0]) if numbers else (0, 0)
    return {"count": len(numbers), "newest": newest, "oldest": oldest}


def get_issue(repo: str, number: int) -> dict[str, Json]:
    title = f"{pick(TROUBLES, 'trouble', repo, number)} in {pick(PARTS, 'part', repo, number)}"
    return {
        "title": title,
        "state": "open" if _is_open(repo, number) else "closed",
        "author": pick(AUTHORS, "reporter", repo, number),
        "comments": draw("comments", repo, number, below=25),
    }


def get_pull_request(repo: str, number: int) -> dict[str, Json]:
    return {
        "title": f"{pick(CHANGES, 'change', repo, number)} {pick(PARTS, 'target', repo, number)}",
        "state": pick(("open", "merged", "draft", "closed"), "pull", repo, number),
        "author": pick(AUTHORS, "author", repo, number),
        "branch": pick(BRANCHES, "branch", repo, number),
    }


def get_build_status(repo: str, branch: str = "main") -> dict[str, Json]:
    status = pick(("passed", "passed", "failed", "running"), "build", repo, branch)
    stage = STAGES[-1] if status == "passed" else pick(STAGES, "stage", repo, branch)
    minutes = 2 + draw("minutes", repo, branch, below=28)
    return {"status": status, "stage": stage, "minutes": minutes}


TOOLS = (list_issues, get_issue, get_pull_request, get_build_status)
