"""docs/own-tools.md, typed as it says: an API of others becomes a specialist, its table and gate.

The stages run as dvc.yaml has them, on the tiny model, but without DVC and in one process.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.files import jsonl
from agent_tuning.quality.decontamination import ProtectedQuery
from agent_tuning.records import Assistant, Group, ToolResult
from agent_tuning.tokens import pack_file
from benchmark.sources.derived_suites import list_task_queries
from benchmark.tasks import suites
from stages.suites import read_own
from tests.support import own_tools, smoke
from tests.support.wording_server import WordingServer

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/own-tools.md").read_text()
EXAMPLES = ROOT / "docs/examples/bikes"
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
            for line in block.splitlines()]  # fmt: skip
LINKED = (
    *("agent_tuning", "docs", "slurm", "stages", "requirements.lock"),
    *("data/phrasing.yaml", "data/general.yaml", "data/instructions.yaml"),
    *("benchmark/suites/general", "benchmark/suites/episodes"),
)
SMALL: dict[str, Any] = {
    "draft_specialist": {"tasks": {"call": 9, "multi": 3, "chain": 3, "missing_argument": 3,
                                   "follow_up": 2, "tool_unavailable": 2, "not_requested": 2}},
    "wordings": {"examples": {"missing_argument": 1, "multi": 1}, "voices": {}},
}  # fmt: skip
TOOLS = {"find_bikes", "get_bike", "report_damage", "rent_bike", "extend_rental", "end_rental",
         "get_bill"}  # fmt: skip
CHAT = {
    "conversations": [
        {"from": "human", "value": "Name three colours, number {}."},
        {"from": "gpt", "value": "Red, green, blue."},
    ]
}


def type_command(command: str, folder: Path, **environment: str) -> str:
    """What a command of the page prints, typed in the repository with .venv activated."""
    command = command.replace("make ", "make --old-file=.venv/ready ", 1)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-ec", command],
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 or "gate" in command, done.stdout + done.stderr
    return done.stdout + done.stderr


def run_stages(folder: Path, last: str) -> None:
    own = read_own(folder / "benchmark/suites")
    queries = (query for suite in own for query in list_task_queries(suite))
    jsonl.write(folder / "data/protected.jsonl", queries)
    type_command(f"python -m tests.support.stage_runner {last}", folder)


def build_folder(folder: Path, base: Path, changes: dict[str, Any]) -> Path:
    """What a clone holds of what the page uses, with small numbers in params.yaml."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    for part in (smoke.SMALL_PARAMS, SMALL, changes):
        params = smoke.merge(params, part)
    params["wordings"]["voices"] = {"hurried": "in a hurry"}
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    shutil.copy(ROOT / "Makefile", folder)
    (folder / "data/catalogue").mkdir(parents=True)
    for name in own_tools.OURS:
        shutil.copy(ROOT / f"data/catalogue/{name}.yaml", folder / "data/catalogue")
    code = [f"benchmark/{path.name}" for path in (ROOT / "benchmark").iterdir()]
    for name in {*LINKED, *code} - {"benchmark/suites"}:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(ROOT / name)
    (folder / "data/base").symlink_to(base)
    rows = [json.loads(json.dumps(CHAT).replace("{}", str(number))) for number in range(20)]
    (folder / "chats.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    load = "python -m agent_tuning.converters.load sharegpt chats.jsonl data/general.jsonl"
    type_command(load, folder)
    return folder


def list_commands(*without: str) -> list[str]:
    """The page's commands up to the gate, without those that contain one of these texts."""
    walk = COMMANDS[: COMMANDS.index("make gate") + 1]
    return [command for command in walk if not any(text in command for text in without)]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, lively: Path) -> Path:
    """A folder in which the page was followed with scenarios, and without `make wordings`."""
    folder = build_folder(tmp_path_factory.mktemp("own"), lively, {})
    printed = ""
    for command in list_commands("wordings"):
        if command == "make repro":
            run_stages(folder, "rerun_variance")
            type_command("make report", folder)
            command = "python -m benchmark.reports.leaderboard data/bikes/breakdown.csv"
        printed += type_command(command, folder)
    (folder / "printed.txt").write_text(printed)
    return folder


@pytest.fixture(scope="module")
def worded(tmp_path_factory: pytest.TempPathFactory, lively: Path) -> Path:
    """The same with `make wordings` and without a scenario, up to what training reads."""
    with WordingServer().running_in_a_thread() as server:
        service = {"base_url": server.url, "initial_backoff_s": 0.01}
        changes = {"chat_model": {"service": service}}
        folder = build_folder(tmp_path_factory.mktemp("worded"), lively, changes)
        for command in list_commands("cp docs/examples/bikes/bikes.yaml", "gate"):
            if command == "make repro":
                run_stages(folder, "shots")
            else:
                type_command(command, folder, OPENAI_API_KEY="sk-test-0123456789")
    return folder


def list_trajectories(path: Path) -> list[Any]:
    return [one for group in jsonl.read(path, Group) for one in group.trajectories]


def list_called(trajectories: Iterable[Any]) -> set[str]:
    turns = (turn for one in trajectories for turn in one.turns if isinstance(turn, Assistant))
    return {call.name for turn in turns for call in turn.calls}


def test_the_completed_file_fits_what_the_import_gave_and_the_page_shows_a_part_of_it(worded):
    imported = Catalogue(worded / "data/catalogue", ["bikes"]).entries
    complete = yaml.safe_load((EXAMPLES / "bikes.yaml").read_text())["tools"]
    assert {tool["name"] for tool in complete} == imported.keys() == TOOLS
    for tool in complete:
        entry = imported[tool["name"]]
        assert entry.parameters == tool["parameters"]
        assert entry.description.en == tool["description"]["en"]
    (shown,) = re.findall(r"```yaml get_bike\n(.*?)```", PAGE, re.DOTALL)
    assert shown in (EXAMPLES / "bikes.yaml").read_text()


def test_every_tool_of_the_company_is_called_and_none_of_ours_is_there(done):
    mixed = list(jsonl.read(done / "data/bikes/mixed.jsonl", Group))
    assert all({tool.name for tool in group.tools} == TOOLS for group in mixed if group.tools)
    assert list_called(list_trajectories(done / "data/bikes/mixed.jsonl")) == TOOLS


def test_observations_are_the_authors_and_later_arguments_come_from_them(done):
    raw = list_trajectories(done / "data/bikes/raw.jsonl")
    chains = [one for one in raw if one.kind == "chain"]
    assert chains
    for one in chains:
        found = next(turn.content for turn in one.turns if isinstance(turn, ToolResult))
        rented = [turn for turn in one.turns if isinstance(turn, Assistant) and turn.calls][1]
        assert rented.calls[0].arguments["bike"] == found["bike"]


def test_both_suites_are_asked_and_protected(done):
    free, drafted = (suites.read(done / f"benchmark/suites/{name}")
                     for name in ("bikes", "bikes_drafted"))  # fmt: skip
    assert len(free.tasks) == len((EXAMPLES / "tasks.jsonl").read_text().splitlines())
    assert {"call", "multi", "chain", "missing_argument"} <= {task.kind for task in drafted.tasks}
    asked = {path.name for path in (done / "data/bikes/asked").iterdir()}
    assert asked == {"validation", "bikes", "bikes_drafted"}
    protected = {one.task for one in jsonl.read(done / "data/protected.jsonl", ProtectedQuery)}
    assert {task.id for task in (*free.tasks, *drafted.tasks)} <= protected


def test_it_ends_with_a_table_a_page_and_a_gate_of_these_suites(done):
    printed = (done / "printed.txt").read_text()
    for suite in ("bikes", "bikes_drafted"):
        for model in ("base", "tuned", "lexical"):
            assert re.search(rf"^{suite} +{model} +\d", printed, re.MULTILINE), printed
        assert re.search(rf"(passed|FAILED)  {suite} answered_rate", printed)
        assert (done / f"metrics/bikes/suites/{suite}.json").exists()
    assert "On bikes, the tuned model" in (done / "report/bikes/index.html").read_text()
    assert (done / "models/bikes/README.md").exists()


def test_what_a_chat_model_words_is_trained_on_without_any_scenario(worded):
    groups = list_trajectories(worded / "data/bikes/written_groups.jsonl")
    assert list_called(groups) == TOOLS
    assert list_trajectories(worded / "data/bikes/with_negatives.jsonl") == []
    mixed = list_trajectories(worded / "data/bikes/mixed.jsonl")
    assert len(mixed) >= len(groups)
    packs = list(pack_file.read(worded / "data/bikes/packs.parquet"))
    assert any(any(pack.weights) for pack in packs)
    asked = {path.name for path in (worded / "data/bikes/asked").iterdir()}
    assert asked == {"validation", "bikes"}
    assert (worded / "data/bikes/shots.jsonl").read_bytes()


def test_the_suites_are_made_again_as_another_version_only_if_a_task_is_another(done):
    version = done / "benchmark/suites/bikes/version.json"
    before, params = version.read_bytes(), (done / "params.yaml").read_bytes()
    type_command("make own-suite", done)
    assert (version.read_bytes(), (done / "params.yaml").read_bytes()) == (before, params)
    tasks = done / "benchmark/suites/bikes/written/tasks.jsonl"
    whole = tasks.read_text()
    tasks.write_text("".join(whole.splitlines(keepends=True)[:-1]))
    type_command("make own-suite", done)
    tasks.write_text(whole)
    assert json.loads(version.read_bytes())["version"] == 2
    assert json.loads(version.read_bytes())["parent"] == json.loads(before)["digest"]


def test_the_pages_other_commands_work_as_typed(done):
    (chats,) = (line for line in COMMANDS if "converters.load openai" in line)
    row = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]}
    (done / "chats.jsonl").write_text(json.dumps(row))
    (export,) = (line for line in COMMANDS if "converters.save" in line)
    for command in (chats, export):
        type_command(command, done)
    assert len(list(jsonl.read(done / "own/chats.jsonl", Group))) == 1
    rows = (done / "own/for-llama-factory.jsonl").read_bytes().splitlines()
    assert len(rows) == len(list_trajectories(done / "data/bikes/mixed.jsonl"))
    assert "conversations" in msgspec.json.decode(rows[0])
