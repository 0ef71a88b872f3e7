"""Wordings over a real socket: what a chat model writes is checked, kept once, and never redone."""

import json
import os
import re
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.chat_model.answer_store import AnswerStore
from agent_tuning.files import jsonl, yaml_records
from agent_tuning.quality.decontamination import ProtectedQuery
from agent_tuning.records import BadInput, Tool, Unfinished
from agent_tuning.runtime import cli
from agent_tuning.synthesis import wordings, written_examples
from agent_tuning.synthesis.wording_files import LIST, Fulfilled
from agent_tuning.synthesis.wording_requests import (
    Assignment,
    WordingsConfig,
    build_ask,
    build_schema,
    count_requests,
    draw_partner,
    list_assignments,
)
from agent_tuning.synthesis.written_examples import WrittenExample
from agent_tuning.synthesis.written_groups import WrittenConfig
from tests.support import written_data
from tests.support.wording_server import WordingServer

CATALOGUE = Path("catalogue")
PARAMS = Path("params.yaml").resolve()
REPLIES = Path("scratch/wordings/replies.jsonl")
KEY = "sk-test-0123456789abcdef"
ALL = {
    **{"call": 1, "missing_argument": 1, "multi": 1, "chain": 1, "follow_up": 1},
    **{"tool_unavailable": 1, "not_requested": 1, "on_topic_chat": 1, "off_topic": 1},
}
CONFIG = WordingsConfig(
    seed=1,
    examples=ALL,  # type: ignore[arg-type]
    off_topics=("animals", "music"),
    voices={"hurried": "in a hurry", "polite": "with please and thank you"},
    examples_per_request=2,
    attempts=2,
    max_tokens=500,
    max_rejected=0.5,
)
TEXT = {"type": "string"}
# Name, description, and parameters of the tools; all but the last are as they are imported.
TOOLS: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "add_to_cart": ("Put it in.", {"product": TEXT, "quantity": {"type": "integer"}}, ["product"]),
    "remove_from_cart": ("Take it out.", {"product": TEXT}, ["product"]),
    "view_cart": ("What is in it.", {"min_price": {"type": "number"}}, ["min_price"]),
    "apply_coupon": ("Redeem a code.", {"code": TEXT}, ["code"]),
    "get_order": ("State of an order.", {"id": {"type": "integer"}}, ["id"]),
}
PHRASED = {
    "observations": [{"id": "{id}", "state": "sent"}],
    "scenarios": [
        {
            "name": "where_is_it",
            "queries": {"en": ["Where is order {order}?", "Has {order} left yet?"]},
            "goal": {"en": "look up order {order}"},
            "arguments": {"id": "{order}"},
            "reply": {"en": "Order {order} is {1.state}."},
        }
    ],
    "remarks": [{"query": {"en": "How fast parcels are!"}, "reply": {"en": "They are."}}],
}
CALLS = msgspec.structs.replace(CONFIG, examples={"call": 2})


@pytest.fixture(autouse=True)
def _place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    tools: list[dict[str, Any]] = [
        {
            "name": name,
            "description": {"en": description},
            "parameters": {"type": "object", "properties": properties, "required": required},
            **{"scenarios": [], "remarks": []},
        }
        for name, (description, properties, required) in TOOLS.items()
    ]
    tools[-1] |= PHRASED
    numbers = {"order": {"start": 1001, "stop": 1999}}
    domain = {"domain": "cart", "languages": ["en"], "numbers": numbers, "tools": tools}
    CATALOGUE.mkdir()
    (CATALOGUE / "cart.yaml").write_bytes(msgspec.yaml.encode(domain))


def configure(
    url: str, p: WordingsConfig = CONFIG, budget: float | None = None, language: str = "en"
) -> None:
    service = {"base_url": url, "concurrency": 3, "timeout": 5, "retries": 1}
    service |= {"initial_backoff_s": 0.01, "max_backoff_s": 0.01, "poll_interval_s": 0.01}
    model = {"name": "wordy", "structured": True, "sampling": {"max_tokens": 60}}
    prices = {"wordy": {"input": 1.0, "output": 1.0}}
    written = msgspec.structs.replace(written_data.CONFIG, language=language)  # type: ignore[arg-type]
    sections = {
        "wordings": msgspec.to_builtins(p),
        "written": msgspec.to_builtins(written),
        "decontamination": {"near_benchmark": 0.7},
        "catalogue": {"domains": ["cart"]},
        "chat_model": {"model": model, "service": service, "budget": budget, "prices": prices},
    }
    Path("params.yaml").write_bytes(msgspec.yaml.encode(sections))


def run(to: str = "mine", *domains: str, dry_run: bool = False) -> None:
    paths = (CATALOGUE, Path("protected.jsonl"), REPLIES, Path(to))
    wordings.main(*paths, *map(Path, domains), dry_run=dry_run)


def cart() -> list[Tool]:
    return wordings.read_tools(CATALOGUE, [Path("cart")])


def examples(path: str) -> list[WrittenExample]:
    return list(jsonl.read(Path(path), WrittenExample))


def contents(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def test_every_voice_gets_a_file_with_examples_of_every_kind_for_every_tool(capsys):
    with WordingServer().running_in_a_thread() as server:
        configure(server.url)
        run()
    assert sorted(contents("mine")) == ["hurried.jsonl", "polite.jsonl", LIST]
    written = examples("mine/hurried.jsonl")
    kinds = [one.kind for one in written]
    # Five tools; a pair gives a call too; everyday conversation has two subjects.
    assert {kind: kinds.count(kind) for kind in ALL} == dict.fromkeys(ALL, 5) | {
        "call": 10,
        "off_topic": 2,
    }
    assert len(list(jsonl.read(Path("mine") / LIST, Fulfilled))) == server.arrived == 84
    assert server.authorizations == {f"Bearer {KEY}"}
    output = capsys.readouterr().out
    assert "84 requests: 94 sound examples, 0 dropped\n" in output
    assert "mine/hurried.jsonl: 47 examples more\n" in output


def test_a_call_and_the_same_request_without_its_value_stand_together():
    with WordingServer().running_in_a_thread() as server:
        configure(server.url, msgspec.structs.replace(CONFIG, examples={"missing_argument": 2}))
        run("mine/teacher.jsonl")
    pairs = examples("mine/teacher.jsonl")
    assert [one.kind for one in pairs] == ["call", "missing_argument"] * 20
    assert {one.decision for one in pairs[1::2]} == {"ask"}


def test_prompts_hold_names_descriptions_and_schemas_and_no_phrasing_of_the_catalogue():
    with WordingServer().running_in_a_thread() as server:
        configure(server.url)
        run()
    prompts = "\n".join(server.prompts)
    entries = Catalogue(CATALOGUE, ["cart"]).entries
    for entry in entries.values():
        assert f"- {entry.name}: {entry.description.en}" in prompts
        assert msgspec.json.encode(entry.parameters).decode() in prompts
        for scenario in entry.scenarios:
            assert not [query for query in scenario.queries.en if query.split("{")[0] in prompts]
        assert not [remark for remark in entry.remarks if remark.query.en in prompts]


def test_the_files_are_the_same_however_often_the_run_was_stopped():
    with WordingServer(delay=0.01).running_in_a_thread() as server:
        configure(server.url)
        run("whole")
        paid = server.arrived
        REPLIES.unlink()
        budget = 0.0
        while not Path("parts").exists():
            budget += 0.02
            configure(server.url, budget=budget)
            with suppress(Unfinished):
                run("parts")
        assert budget > 0.05
    assert contents("parts") == contents("whole")
    assert server.arrived == 2 * paid  # no reply was paid for twice
    assert max(server.answered.values()) == 2


def test_a_budget_stops_before_it_is_exceeded_and_nothing_is_written():
    with WordingServer().running_in_a_thread() as server:
        configure(server.url, budget=0.01)
        with pytest.raises(Unfinished, match=r"chat_model\.budget = 0\.01 USD is too low"):
            run()
    spent = sum(r.prompt_tokens + r.completion_tokens for r in AnswerStore(REPLIES)) / 1e6
    assert 0 < spent <= 0.01
    assert not Path("mine").exists()


def test_ctrl_c_lets_paid_requests_finish_and_the_next_run_goes_on():
    with WordingServer(delay=0.1).running_in_a_thread() as server:
        configure(server.url)

        def interrupt() -> None:
            while not server.running:
                time.sleep(0.001)
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(Unfinished, match="interrupted; all replies are kept"):
            run()
        thread.join()
        arrived = server.arrived
        assert 0 < arrived == len(AnswerStore(REPLIES)) < 84
        run()
    assert server.arrived == 84


def test_what_is_written_is_not_asked_again_and_people_may_correct_it(monkeypatch, capsys):
    with WordingServer().running_in_a_thread() as server:
        configure(server.url, CALLS)
        run()
    lines = Path("mine/hurried.jsonl").read_text().splitlines()
    corrected = "\n".join(lines[1:]).replace("I should do it.", "I should do it at once.")
    Path("mine/hurried.jsonl").write_text(corrected)  # its last line has no end
    before = contents("mine")
    REPLIES.unlink()
    monkeypatch.delenv("OPENAI_API_KEY")
    run()
    assert contents("mine") == before
    assert "has all that section wordings asks for" in capsys.readouterr().out
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with WordingServer().running_in_a_thread() as server:
        configure(server.url, msgspec.structs.replace(CALLS, examples={"call": 3}))
        run()
    assert server.arrived == 10  # one more of each tool in each voice
    assert "Other people have written the first messages" in server.prompts[0]
    after = Path("mine/hurried.jsonl").read_text()
    assert after.startswith(f"{corrected}\n")
    assert len(after.splitlines()) == len(lines) - 1 + 5


def test_stored_replies_need_no_key_and_no_server(monkeypatch):
    with WordingServer().running_in_a_thread() as server:
        configure(server.url, CALLS)
        run("first")
    monkeypatch.delenv("OPENAI_API_KEY")
    configure("", CALLS)
    run("second")
    assert contents("first") == contents("second")


def test_a_run_that_was_killed_after_it_wrote_a_file_writes_nothing_twice():
    with WordingServer().running_in_a_thread() as server:
        configure(server.url, CALLS)
        run()
        whole = contents("mine")
        (Path("mine") / LIST).unlink()
        run()
    assert {k: v for k, v in contents("mine").items() if k != LIST} == {
        k: v for k, v in whole.items() if k != LIST
    }


def test_examples_of_people_in_the_folder_are_kept_and_not_repeated(capsys):
    with WordingServer().running_in_a_thread() as server:
        configure(server.url, CALLS)
        run("other")
        theirs = msgspec.structs.replace(
            examples("other/hurried.jsonl")[0], thought="I should act."
        )
        jsonl.write(Path("mine/people.jsonl"), [theirs])
        run("mine")
    assert examples("mine/people.jsonl") == [theirs]
    assert len(examples("mine/hurried.jsonl")) == 9
    assert "19 sound examples, 1 dropped: 1 duplicate" in capsys.readouterr().out


def test_one_more_tool_asks_for_that_tool_alone():
    fewer = list(list_assignments(cart()[:-1], CONFIG))
    more = list(list_assignments(cart(), CONFIG))
    new = [one for one in more if one not in fewer]
    assert all(cart()[-1] in one.tools for one in new)


# What a reply may do wrong in one example, and the reason that is printed.
def spoil(**fields: Any) -> Any:
    return lambda example: example.update(fields)


SPOILED = {
    "unsaid value": ("call", spoil(query="do this with no value"), "unsaid_value"),
    "unknown argument": (
        "call", lambda one: one["calls"][0]["arguments"].update(gift=True), "undeclared_argument"),
    "required argument": (
        "call", lambda one: one["calls"][0].update(arguments={}), "missing_argument"),
    "other tool": ("call", lambda one: one["calls"][0].update(name="checkout2"), "other_tools"),
    "no call": ("call", spoil(calls=[]), "malformed"),
    "thought of a call": ("call", spoil(thought="Let me do it."), "thought_form"),
    "thought of chat": ("on_topic_chat", spoil(thought="Chat."), "thought_form"),
    "question in chat": ("on_topic_chat", spoil(text="Nice. And you?"), "text_form"),
    "no text": ("on_topic_chat", spoil(text=""), "malformed"),
    "markup": ("on_topic_chat", spoil(text="Nice <tool_call>"), "text_form"),
    "unknown field": ("off_topic", spoil(mood="good"), "malformed"),
    "no field": ("off_topic", lambda one: one.pop("query"), "malformed"),
    "one call for two": ("multi", lambda one: one["calls"].pop(), "other_tools"),
    "two questions": ("follow_up", spoil(question="Which? And where?"), "text_form"),
    "no question": ("follow_up", spoil(question="Say which."), "text_form"),
    "ask without question": (
        "missing_argument", lambda one: one["without"].update(text="Say it."), "text_form"),
    "thought of an ask": (
        "missing_argument", lambda one: one["without"].update(thought="Ask."), "thought_form"),
    "value left in": (
        "missing_argument", lambda one: one["without"].update(query=one["query"]), "wrong_pair"),
    "optional argument": ("missing_argument", spoil(argument="quantity"), "wrong_pair"),
    "half a pair": ("missing_argument", lambda one: one.pop("without"), "malformed"),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "change", "reason"), SPOILED.values(), ids=SPOILED)
def test_a_bad_example_is_dropped_counted_and_written_anew(kind, change, reason, capsys):
    spoiled = []

    def spoil_the_first(prompt: str, drafted: list[dict[str, Any]]) -> None:
        if "rejected" not in prompt:
            change(drafted[0])
            spoiled.append(prompt)

    p = msgspec.structs.replace(
        CONFIG, examples={kind: 2}, voices={"hurried": "in a hurry"}, max_rejected=1.0
    )
    with WordingServer(spoil_the_first).running_in_a_thread() as server:
        configure(server.url, p)
        run()
    assert server.arrived == 2 * len(spoiled)
    second = next(prompt for prompt in server.prompts if "were rejected" in prompt)
    assert f"{reason}: " in second
    assert "Write 1 example." in second
    assert reason in capsys.readouterr().out
    size = 2 if kind == "missing_argument" else 1
    assert len(examples("mine/hurried.jsonl")) == 2 * size * len(spoiled)


@pytest.mark.parametrize("fault", ["refusal", "length", "content_filter", "nonsense"])
def test_a_reply_that_cannot_be_read_is_counted_and_asked_for_again(fault, capsys):
    with WordingServer(faults={0: fault}).running_in_a_thread() as server:
        configure(server.url, CALLS)
        run()
    assert server.arrived == 11
    reason = {"nonsense": "malformed"}.get(fault, fault)
    assert f"20 sound examples, 2 dropped: 2 {reason}" in capsys.readouterr().out


def test_a_model_that_always_fails_ends_the_run_with_one_line_and_writes_nothing():
    def fail(_prompt: str, drafted: list[dict[str, Any]]) -> None:
        for one in drafted:
            one["thought"] = "Hm."

    with WordingServer(fail).running_in_a_thread() as server:
        configure(server.url, CALLS)
        with pytest.raises(BadInput, match=r"40 of 40 examples dropped, more than wordings\.max_r"):
            run()
    assert server.arrived == 20  # two attempts each
    assert not Path("mine").exists()


def test_a_benchmarks_query_is_dropped():
    protected = "What did the benchmark ask here"
    jsonl.write(Path("protected.jsonl"), [ProtectedQuery(protected, "t", ())])

    def leak(prompt: str, drafted: list[dict[str, Any]]) -> None:
        if "benchmark_overlap" not in prompt:
            drafted[0]["query"] = protected

    with WordingServer(leak).running_in_a_thread() as server:
        configure(server.url, msgspec.structs.replace(CONFIG, examples={"on_topic_chat": 1}))
        run()
    assert protected not in Path("mine/hurried.jsonl").read_text()
    assert server.arrived == 20


def test_a_model_may_say_that_no_chain_begins_with_a_tool(capsys):
    def decline(_prompt: str, drafted: list[dict[str, Any]]) -> None:
        drafted.clear()

    with WordingServer(decline).running_in_a_thread() as server:
        configure(server.url, msgspec.structs.replace(CONFIG, examples={"chain": 2}))
        run()
        run()
    assert server.arrived == 10
    assert "10 requests: 0 sound examples, 0 dropped" in capsys.readouterr().out


def test_a_dry_run_prints_requests_tokens_and_the_most_it_may_cost(monkeypatch, capsys):
    monkeypatch.delenv("OPENAI_API_KEY")
    configure("", msgspec.structs.replace(CALLS, examples={"call": 3}), budget=2.0)
    run(dry_run=True)
    first, second = capsys.readouterr().out.splitlines()[-2:]
    assert first.startswith("wordings: 20 requests, about ")
    assert "at most 10000 completion tokens" in first
    assert first.endswith("(chat_model.budget = 2.0)")
    assert second.startswith("with all attempts: 30 requests, about ")
    assert not Path("mine").exists()
    assert not REPLIES.exists()


def test_no_run_costs_more_than_the_dry_run_says(capsys):
    def fail(_prompt: str, drafted: list[dict[str, Any]]) -> None:
        for one in drafted:
            one["thought"] = "x" * 1000

    configure("", CALLS)
    run(dry_run=True)
    most = float(capsys.readouterr().out.splitlines()[-1].split()[-2])
    with WordingServer(fail).running_in_a_thread() as server:
        configure(server.url, msgspec.structs.replace(CALLS, max_rejected=1.0))
        run()
    paid = sum(r.prompt_tokens + r.completion_tokens for r in AnswerStore(REPLIES)) / 1e6
    assert 0 < paid < most


ERRORS = {
    "no key": ({}, [], "OPENAI_API_KEY is not set"),
    "domain": ({}, ["cart", "kart"], "no domain 'kart'; available: "),
    "voice": ({"voices": {"Two Words": "x"}}, [], "params.yaml:"),
    "kind": ({"examples": {"shout": 1}}, [], "params.yaml:"),
    "no voice": ({"voices": {}}, [], "params.yaml:"),
    "attempts": ({"attempts": 0}, [], "params.yaml:"),
}


def typed(*words: str) -> int | str | None:
    """The command as make types it; returns its exit status or its one line of error."""
    paths = [str(path) for path in (CATALOGUE, "protected.jsonl", REPLIES)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["wordings", *paths, *words])
        with pytest.raises(SystemExit) as stopped:
            cli.run(wordings.main)
    return stopped.value.code


@pytest.mark.parametrize(("changes", "domains", "error"), ERRORS.values(), ids=ERRORS)
def test_everything_wrong_is_one_line(changes, domains, error, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    builtins = msgspec.to_builtins(CONFIG) | changes
    configure("", msgspec.defstruct("Any", [(key, Any) for key in builtins])(**builtins))
    line = typed("mine", *domains)
    assert isinstance(line, str)
    assert error in line
    assert "\n" not in line


def test_a_budget_needs_a_price_of_the_model():
    configure("", budget=1.0)
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("name: wordy", "name: wordier"))
    assert "no price of wordier" in str(typed("mine", "--dry-run"))


@pytest.mark.parametrize(
    ("fault", "error"), [("refused", "HTTP 401"), ("400", "HTTP 400"), ("quota", 75), ("500", 75)]
)
def test_an_error_of_the_server_is_one_line_without_the_key(fault, error, capsys):
    faults = dict.fromkeys(range(200), fault)
    with WordingServer(faults=faults).running_in_a_thread() as server:
        configure(server.url)
        ended = typed("mine")
    printed = f"{ended}{capsys.readouterr()}"
    assert str(error) in str(ended)
    assert KEY not in printed
    assert not Path("mine").exists()


def test_other_languages_and_other_files_are_refused():
    configure("", language="zh")
    assert "written.language: expected en" in str(typed("mine"))
    configure("")
    assert "expected a folder, or a file *.jsonl" in str(typed("mine.json"))
    Path("mine.jsonl").write_text('{"query": 1}\n')
    assert "mine.jsonl:1: " in str(typed("mine.jsonl"))


@pytest.mark.parametrize("kind", ALL)
def test_the_form_that_a_prompt_shows_has_the_fields_of_the_schema(kind):
    about = () if kind == "off_topic" else (cart()[0],) * (2 if kind == "multi" else 1)
    assignment = Assignment(kind, "hurried", about, "animals" if not about else "", 1)  # type: ignore[arg-type]
    prompt = build_ask(assignment, cart(), CONFIG, 1).messages[0].content
    form = json.loads(re.search(r"Form of an example: (.*)", prompt)[1])  # type: ignore[index]
    schema = build_schema(assignment, 1)["properties"]["examples"]["items"]
    assert list(form) == schema["required"] or set(form) == set(schema["required"])
    assert len(form.get("calls", ())) == schema["properties"].get("calls", {}).get("minItems", 0)


def test_tools_without_a_required_argument_have_no_pairs_and_no_follow_ups():
    tool = Tool("list_all", "All of it.", {"type": "object", "properties": {}})
    kinds = {one.kind for one in list_assignments([tool], CONFIG)}
    assert kinds == ALL.keys() - {"missing_argument", "follow_up"}


def test_pairs_of_tools_differ_by_voice():
    partners = {draw_partner(cart()[0], cart(), f"voice{n}", 1).name for n in range(60)}
    assert partners == {tool.name for tool in cart()}


def test_the_section_of_this_repository_is_sound():
    p = yaml_records.read(PARAMS, WordingsConfig, "wordings")
    written = yaml_records.read(PARAMS, WrittenConfig, "written")
    assert written.language == "en"
    assert p.examples.keys() == ALL.keys()
    assert len(list(list_assignments(cart(), p))) == len(p.voices) * (5 * 8 + len(p.off_topics))


def test_the_written_files_are_what_the_stage_written_reads():
    with WordingServer().running_in_a_thread() as server:
        configure(server.url)
        run()
    numbered = list(written_examples.read_folder(Path("mine")))
    assert {id.partition(".")[0] for id, _ in numbered} == {"hurried", "polite"}


def test_the_page_says_what_ten_tools_take():
    p = yaml_records.read(PARAMS, WordingsConfig, "wordings")
    parameters = {"type": "object", "properties": {"x": TEXT}, "required": ["x"]}
    tools = [Tool(f"tool_{number}", "Some tool.", parameters) for number in range(10)]
    assigned = list(list_assignments(tools, p))
    pairs = sum(one.wanted for one in assigned if one.kind == "missing_argument")
    requests = sum(count_requests(one.wanted, p) for one in assigned)
    written = sum(one.wanted for one in assigned) + pairs
    said = f"{len(p.voices)} voices take {requests} requests for {written:,} examples"
    assert said in (PARAMS.parent / "docs/own-tools.md").read_text()
