"""Let a chat model write freely worded examples for your own tools: `make wordings`.

`python -m agent_tuning.synthesis.wordings CATALOGUE PROTECTED REPLIES TO [DOMAIN ...] [--dry-run]`

reads   params.yaml: wordings, chat_model, written, decontamination; without DOMAIN: catalogue
        CATALOGUE      names, descriptions and schemas of the domains' tools, nothing else
        PROTECTED      queries of the benchmark suites, if the file is there
writes  TO             a folder, one file of written examples a voice, or one file *.jsonl
        REPLIES        the paid replies; nothing is asked twice

`--dry-run` prints how many requests are left and what they cost.
"""

from collections.abc import Sequence
from pathlib import Path

from agent_tuning.catalogue.entries import Catalogue, CatalogueConfig
from agent_tuning.chat_model.answer_store import AnswerStore
from agent_tuning.chat_model.config import ChatModelConfig
from agent_tuning.files import jsonl
from agent_tuning.quality.decontamination import (
    DecontaminationConfig,
    ProtectedQuery,
)
from agent_tuning.records import BadInput, Tool
from agent_tuning.runtime import cli, config
from agent_tuning.synthesis.wording_answers import (
    count_dropped,
    describe_dropped,
    read_answers,
    write_answers,
)
from agent_tuning.synthesis.wording_files import WordingFiles
from agent_tuning.synthesis.wording_requests import WordingsConfig, list_assignments
from agent_tuning.synthesis.wording_teacher import WordingTeacher
from agent_tuning.synthesis.written_checks import ExampleChecks
from agent_tuning.synthesis.written_groups import WrittenConfig


def read_tools(catalogue: Path, domains: Sequence[Path]) -> list[Tool]:
    """The tools of these domains, or else of those that the recipe is about."""
    names = tuple(map(str, domains)) or config.load("catalogue", CatalogueConfig).domains
    entries = Catalogue(catalogue, names)
    return [entries.tool(name, "en") for name in entries.entries]


def read_protected(path: Path) -> list[ProtectedQuery]:
    """The benchmark's queries; none, with a word of warning, before `dvc repro suites`."""
    if path.exists():
        return list(jsonl.read(path, ProtectedQuery))
    print(f"{path}: no such file; nothing is compared with the benchmark")
    return []


def main(
    catalogue: Path,
    protected: Path,
    replies: Path,
    to: Path,
    *domains: Path,
    dry_run: bool = False,
) -> None:
    p = config.load("wordings", WordingsConfig)
    chat = config.load("chat_model", ChatModelConfig)
    written = config.load("written", WrittenConfig)
    decontamination = config.load("decontamination", DecontaminationConfig)
    if written.language != "en":
        raise BadInput("params.yaml: written.language: expected en: wordings are in English only")
    tools = read_tools(catalogue, domains)
    contamination = decontamination.build_filter(read_protected(protected))
    checks = ExampleChecks(tools, contamination)
    files = WordingFiles(to)
    assignments = list(files.leave_out_fulfilled(list_assignments(tools, p)))
    store = AnswerStore(replies)
    teacher = WordingTeacher(tools, checks, written.near_duplicate, p, chat, store)
    if not assignments:
        print(f"{to}: has all that section wordings asks for; nothing to do")
        return
    if dry_run:
        expected, most = teacher.estimate(assignments)
        print(f"wordings: {expected.describe_estimate()} (chat_model.budget = {chat.budget})")
        print(f"with all attempts: {most.describe_estimate()}")
        return
    teacher.ask(assignments)
    answers = read_answers(teacher, assignments, files.examples)
    dropped = count_dropped(answers)
    sound = sum(draft.size for answer in answers for draft in answer.sound)
    print(f"{len(answers)} requests: {sound} sound examples, {describe_dropped(dropped)}")
    if dropped.total() > p.max_rejected * (sound + dropped.total()):
        raise BadInput(
            f"{to}: nothing written: {dropped.total()} of {sound + dropped.total()} examples "
            f"dropped, more than wordings.max_rejected = {p.max_rejected} allows; "
            f"{replies} keeps the replies"
        )
    for path, count in write_answers(files, answers).items():
        print(f"{path}: {count} examples more")


if __name__ == "__main__":
    cli.run(main)
