"""Candidates: what the suite covers least, and nothing that is asked already."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import msgspec
import pytest
import yaml

from agent_tuning.catalogue import schema
from agent_tuning.files import jsonl
from agent_tuning.quality.decontamination import DecontaminationConfig
from agent_tuning.records import BadInput, Call, Group, User
from agent_tuning.runtime import config
from agent_tuning.synthesis.teachers.author import Author
from benchmark.annotation.review import candidates, contamination, merge
from benchmark.annotation.review.coverage import count_coverage
from benchmark.annotation.review.least_covered_draft import LeastCoveredDraft
from benchmark.annotation.review.rewrite_positives import build_requests
from benchmark.drafting.catalogue_tools import collect_tools
from benchmark.drafting.draft_house import HouseDrafter
from benchmark.drafting.house_layout import HouseDraftConfig
from benchmark.tasks import suites
from benchmark.tasks.suite_version import Version
from tests.support import default_data, general_params
from tests.support.chat_server import ChatServer

P = config.load("candidates", candidates.CandidatesConfig)
NEAR = config.load("decontamination", DecontaminationConfig).near_benchmark


def texts(tasks):
    return [turn.text for task in tasks for turn in task.turns if isinstance(turn, User)]


def join(author: HouseDrafter) -> suites.Suite:
    groups = list(author.groups(0))
    tools = collect_tools(author.catalogue, [group.prompt.tools for group in groups])
    return suites.join_groups("house", tools, groups)


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """The first groups of the suite as drafted today: the whole suite covers every cell."""
    p = msgspec.structs.replace(config.load("draft", HouseDraftConfig), groups=36)
    author = HouseDrafter(default_data.DRAFT_SOURCES, p)
    folder = tmp_path_factory.mktemp("house")
    suites.write(folder, join(author))
    return folder


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    path = tmp_path_factory.mktemp("training") / "mixed.jsonl"
    jsonl.write(path, default_data.raw_groups())
    return path


@pytest.fixture(scope="module")
def drafted(tmp_path_factory, house, training):
    folder = tmp_path_factory.mktemp("candidates")
    candidates.main(house, training, folder, folder / "replies.jsonl")
    return folder


def test_the_cells_that_a_suite_covers_are_told_from_its_golds():
    catalogue = default_data.CATALOGUE
    author = HouseDrafter(default_data.DRAFT_SOURCES, config.load("draft", HouseDraftConfig))
    suite = join(author)
    tasks = tuple(task for task in suite.tasks if task.kind == "call")
    coverage = count_coverage(catalogue, replace(suite, tasks=tasks))
    by_tool = Counter({(tool, language): 0 for tool, _, language in coverage})
    for (tool, _, language), count in coverage.items():
        by_tool[tool, language] += count
    for task in tasks:
        (call,) = task.golds[0].calls
        assert by_tool[call.name, suite.prompt(task).language], task.golds[0].thought


def test_what_is_covered_least_comes_first(house, drafted):
    """On average: a tool list also has near-duplicates, however often they were asked for."""
    before = count_coverage(default_data.CATALOGUE, suites.read(house))
    cells = [(tool, s.name, "en") for tool, s in default_data.CATALOGUE.cells()]
    after = count_coverage(default_data.CATALOGUE, suites.read(drafted))
    chosen = [before[cell] for cell in cells if after[cell]]
    assert fmean(chosen) < 0.6 * fmean(before[cell] for cell in cells)


def test_candidates_are_a_sound_suite_of_their_own(drafted):
    suite = suites.read(drafted)
    assert len(suite.tasks) == P.groups * (P.calls + P.negatives)
    for task in suite.tasks:
        for call in task.golds[0].calls:
            given = {name: accepted[0] for name, accepted in call.arguments.items()}
            offered = suite.prompt(task).tools
            assert schema.find_call_problem(Call(call.name, given), offered) is None


def test_nothing_is_asked_that_the_suite_or_training_asks(house, training, drafted):
    known, new = texts(suites.read(house).tasks), texts(suites.read(drafted).tasks)
    assert not set(known) & set(new)
    training_filter = contamination.build_training_filter(jsonl.read(training, Group), NEAR)
    assert [
        text for text in new if training_filter.overlap(text, default_data.CATALOGUE.entries)
    ] == []


def test_ids_never_come_back(house, drafted):
    known = {task.id for task in suites.read(house).tasks}
    assert not known & {task.id for task in suites.read(drafted).tasks}


def test_drafting_again_writes_the_same_bytes_and_keeps_no_judgement(
    tmp_path, house, training, drafted
):
    judged = [tmp_path / "judge.jsonl", tmp_path / "judge_failures.jsonl"]
    for path in judged:  # of discarded drafts, which had the same ids
        path.write_text('{"id": "house/g000.1", "score": 1}\n')
    candidates.main(house, training, tmp_path, tmp_path / "replies.jsonl")
    for name in ("tools.jsonl", "prompts.jsonl", "tasks.jsonl"):
        assert (tmp_path / name).read_bytes() == (drafted / name).read_bytes()
    assert [path for path in judged if path.exists()] == []


def test_what_was_rejected_is_not_drafted_again(tmp_path, house, training, drafted):
    again = tmp_path / "house"
    suite = suites.read(house)
    rejected = suites.read(drafted).tasks
    version = Version(2, suite.digest)
    for name in ("tools.jsonl", "prompts.jsonl", "tasks.jsonl"):
        again.mkdir(exist_ok=True)
        (again / name).write_bytes((house / name).read_bytes())
    merge.write(again, Version(1, suite.digest), version, suite, rejected)
    candidates.main(again, training, tmp_path / "new", tmp_path / "replies.jsonl")
    new = suites.read(tmp_path / "new").tasks
    assert not {task.id for task in rejected} & {task.id for task in new}
    assert not set(texts(rejected)) & set(texts(new))


def test_reviewed_candidates_are_not_overwritten(tmp_path, house, training, drafted):
    for name in ("tools.jsonl", "prompts.jsonl", "tasks.jsonl"):
        (tmp_path / name).write_bytes((drafted / name).read_bytes())
    (tmp_path / "reviews.jsonl").write_text("")
    with pytest.raises(BadInput, match="and 35 more are not merged; run `make merge` first"):
        candidates.main(house, training, tmp_path, tmp_path / "replies.jsonl")


@pytest.mark.slow
def test_a_chat_model_words_the_positives_anew(tmp_path, monkeypatch, house, training):
    """A model that says what the scripted teacher says, but fails at one of its answers."""
    root = Path.cwd()
    suite = suites.read(house)
    training_filter = contamination.build_training_filter(jsonl.read(training, Group), NEAR)
    shape = config.load("draft", HouseDraftConfig)
    shape = msgspec.structs.replace(shape, groups=2, calls=P.calls, negatives=P.negatives)
    drafter = LeastCoveredDraft(
        default_data.DRAFT_SOURCES, shape, suite, [], training_filter, unseen_only=True
    )
    groups = list(drafter.groups(drafter.first))
    planned = [task for group in groups for task in group.tasks]
    wanted = list(build_requests(groups, drafter.items))
    chat = config.load("chat_model", candidates.ChatModelConfig)
    table = default_data.perfect_answers(Author(drafter.teachers["unseen"]), wanted, chat.model)
    failing = next(key for key in table if "decision" in table[key])
    table[failing] = '{"decision": "call", "calls": []}'
    section = general_params.read()
    section["candidates"] |= {"teacher": "openai", "groups": 2}
    with ChatServer(table).running_in_a_thread() as server:
        section["chat_model"]["service"] |= {"base_url": server.url, "initial_backoff_s": 0.01}
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(section, sort_keys=False))
        (tmp_path / "data").symlink_to(root / "data")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")
        monkeypatch.chdir(tmp_path)
        candidates.main(house, training, Path("out"), Path("replies.jsonl"))
    written = suites.read(Path("out")).tasks
    assert len(written) == len(planned) - 1
    assert set(map(msgspec.json.encode, written)) < set(map(msgspec.json.encode, planned))
    assert {task.axes["query"] for task in written} == {"unseen"}
