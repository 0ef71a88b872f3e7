"""What reviews come to: the merge refuses by name, keeps old versions, and says who decided."""

import hashlib
import os
from pathlib import Path

import msgspec
import pytest

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.files import jsonl, yaml_records
from agent_tuning.quality.decontamination import ContaminationFilter
from agent_tuning.quality.word_overlap import WordOverlap
from agent_tuning.records import (
    Assistant,
    BadInput,
    Call,
    Group,
    PromptSpec,
    ToolResult,
    Trajectory,
    User,
)
from agent_tuning.runtime import config
from agent_tuning.synthesis import written_examples, written_groups
from benchmark.annotation.rating.rubric import Judgement
from benchmark.annotation.review import (
    correct_suite,
    export_corrections,
    merge,
    priority,
    suite_swap,
    verdicts,
)
from benchmark.annotation.review.verdicts import DoubleReview
from benchmark.annotation.web.events import Event, Flag, Verdict
from benchmark.tasks import suites
from benchmark.tasks.suite_version import read_rejected, read_version
from benchmark.tasks.suites import Erratum, Gold, GoldCall
from tests.support import annotation_data

APPROVE, REJECT = Verdict("approve"), Verdict("reject", reason="unclear")
OSLO, ROME = annotation_data.task("Oslo"), annotation_data.task("Rome")
FOUR = annotation_data.correction(OSLO, days=(4,))
NEAR = {"near_benchmark": 0.7}
ONCE = {**annotation_data.build_review_section(0.0), "decontamination": NEAR}
TWICE = {**annotation_data.build_review_section(1.0), "decontamination": NEAR}


@pytest.mark.parametrize(
    ("reviews", "needed", "state"),
    [
        ({}, 1, "open"),
        ({"ann": APPROVE}, 2, "open"),
        ({"ann": APPROVE}, 1, "ready"),
        ({"ann": APPROVE, "ben": APPROVE}, 2, "ready"),
        ({"ann": REJECT}, 1, "rejected"),
        ({"ann": REJECT, "ben": Verdict("reject", reason="other")}, 2, "rejected"),
        ({"ann": APPROVE, "ben": REJECT}, 2, "conflict"),
        ({"ann": APPROVE, "ben": FOUR}, 1, "conflict"),
        ({"ann": FOUR, "ben": FOUR}, 2, "ready"),
    ],
)
def test_what_people_say_settles_a_task(reviews, needed, state):
    assert verdicts.settle(OSLO, reviews, needed).state == state


def test_a_correction_settles_what_is_right():
    assert verdicts.settle(OSLO, {"ann": FOUR}, 1).task.golds == FOUR.golds


def test_other_words_of_the_user_make_a_query_that_training_does_not_know():
    seen = msgspec.structs.replace(OSLO, axes={"query": "seen", "tool": "seen"})
    words = Verdict("correct", seen.golds, query="Oslo for three days!")
    reworded = verdicts.settle(seen, {"ann": words}, 1).task
    assert [turn.text for turn in reworded.turns] == ["Oslo for three days!"]
    assert reworded.axes == {"query": "unseen", "tool": "seen"}
    assert verdicts.settle(seen, {"ann": words, "ben": APPROVE}, 2).state == "conflict"


def test_the_words_that_are_corrected_are_the_users_last():
    call_turn = Assistant("call", "Look.", (Call("get_weather", {"city": "Oslo"}),))
    turns = (User("Weather?"), Assistant("ask", text="Where?"), User("Oslo"), call_turn)
    task = msgspec.structs.replace(OSLO, turns=(*turns, ToolResult("get_weather", "rain")))
    reworded = verdicts.reword(task, "In Oslo")
    assert reworded == (*turns[:2], User("In Oslo"), *task.turns[3:])


@pytest.mark.parametrize(
    ("drafted", "decision", "kind"),
    [
        ("call", "no_call", "on_topic_chat"),
        ("chain", "ask", "missing_argument"),
        ("on_topic_chat", "call", "call"),
        ("missing_argument", "no_call", "missing_argument"),
        ("chain", "call", "chain"),
        ("follow_up", "call", "follow_up"),
    ],
)  # fmt: skip
def test_another_decision_makes_another_kind_of_task(drafted, decision, kind):
    task = msgspec.structs.replace(OSLO, kind=drafted)
    gold = OSLO.golds[0] if decision == "call" else Gold(decision)
    assert verdicts.apply_verdict(task, Verdict("correct", (gold,))).kind == kind


@pytest.mark.parametrize(
    "line",
    ['{"kind":"verdict","action":"reject"}', '{"kind":"verdict","action":"correct"}',
     '{"kind":"verdict","action":"approve","reason":"unclear"}',
     '{"kind":"verdict","action":"approve","query":"Other words"}'],
)  # fmt: skip
def test_a_rejection_has_a_reason_and_a_correction_a_gold(line):
    with pytest.raises(msgspec.ValidationError, match="with"):
        msgspec.json.decode(line, type=Verdict)


def test_the_share_of_tasks_reviewed_twice_is_the_one_asked_for():
    tasks = [annotation_data.task(f"Town{n}") for n in range(1000)]
    twice = [DoubleReview(47, 0.2).needed(task) == 2 for task in tasks]
    assert 160 < sum(twice) < 240
    assert twice == [DoubleReview(47, 0.2).needed(task) == 2 for task in tasks]


def folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section, candidates, reviews, trained=()
):
    """A suite of Bonn, candidates, their reviews and training data, as `make merge` has them."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_bytes(msgspec.yaml.encode(section))
    annotation_data.write_suite(Path("house"), [annotation_data.task("Bonn")])
    annotation_data.write_suite(Path("candidates"), candidates)
    of = suites.read(Path("candidates"))
    events = [
        annotation_data.review_event(of, task, who, what, n)
        for n, (task, who, what) in enumerate(reviews, 1)
    ]
    jsonl.write(Path("reviews.jsonl"), events)
    trajectories = (
        Trajectory(query, (User(query), Assistant("no_call")), "call", "en") for query in trained
    )
    jsonl.write(Path("mixed.jsonl"), [Group("g", PromptSpec("g", "en", ()), tuple(trajectories))])


PATHS = [Path(n) for n in ("house", "candidates", "reviews.jsonl", "mixed.jsonl", "written")]


def run():
    merge.main(*PATHS)


BONN_AGAIN = annotation_data.task("Bonn again", "Three days in BONN, please plan them!")
KNOWN_ID = msgspec.structs.replace(OSLO, id="house/Bonn")


@pytest.mark.parametrize(
    ("section", "task", "opinions", "reason"),
    [
        (ONCE, OSLO, [], "house/Oslo: unreviewed: 0 of 1 reviews"),
        (TWICE, OSLO, [("ann", APPROVE)], "house/Oslo: unreviewed: 1 of 2 reviews"),
        (ONCE, OSLO, [("ann", APPROVE), ("ben", REJECT)],
         r"house/Oslo: conflict: ann: approve, ben: reject \(unclear\)"),
        (ONCE, BONN_AGAIN, [("ann", APPROVE)],
         "house/Bonn again: duplicate: same dialogue as house/Bonn"),
        (ONCE, KNOWN_ID, [("ann", APPROVE)],
         "house/Bonn: duplicate: the suite already has a task with this id"),
        (ONCE, annotation_data.task("Paris"), [("ann", APPROVE)],
         "house/Paris: in the training data: exact: Three days in Paris, please plan them"),
        (ONCE, annotation_data.task("Nizza", "so I would like you to plan three days in Nizza"),
         [("ann", APPROVE)], "house/Nizza: in the training data: 8-gram"),
    ],
    ids=["unreviewed", "half reviewed", "conflict", "duplicate", "id", "training data", "8-gram"],
)  # fmt: skip
def test_the_merge_refuses_by_name(tmp_path, monkeypatch, section, task, opinions, reason):
    trained = [
        "three days in paris please plan them",
        "I would like you to plan three days in Rome",
    ]
    reviews = [(task, who, opinion) for who, opinion in opinions]
    folder(tmp_path, monkeypatch, section, [task], reviews, trained)
    before = Path("house/tasks.jsonl").read_bytes()
    with pytest.raises(BadInput, match=reason):
        run()
    assert Path("house/tasks.jsonl").read_bytes() == before
    names = sorted(path.name for path in Path("house").iterdir())
    assert names == ["prompts.jsonl", "tasks.jsonl", "tools.jsonl"]


def test_words_that_a_reviewer_found_are_checked_as_drafts_are(tmp_path, monkeypatch):
    """The draft is new, but its correction is in the training data, and then in the suite."""
    for words, reason in (
        (
            "Three days in Paris, please plan them.",
            "house/Oslo: in the training data: exact: Three days in",
        ),
        ("Three days in Bonn, please plan them.", "house/Oslo: duplicate: same dialogue as hous"),
    ):
        verdict = Verdict("correct", OSLO.golds, query=words)
        trained = ["three days in paris please plan them"]
        folder(tmp_path, monkeypatch, ONCE, [OSLO], [(OSLO, "ann", verdict)], trained)
        with pytest.raises(BadInput, match=reason):
            run()


def test_a_reworded_task_is_merged_in_its_new_words_and_never_drafted_again(tmp_path, monkeypatch):
    verdict = Verdict("correct", OSLO.golds, query="Oslo for three days!")
    folder(tmp_path, monkeypatch, ONCE, [OSLO], [(OSLO, "ann", verdict)])
    run()
    new = suites.read(Path("house"))
    assert new.tasks[1].turns == (User("Oslo for three days!"),)
    assert read_version(Path("house"), new).corrected == ("house/Oslo",)
    assert read_rejected(Path("house")) == [OSLO]


def test_a_verdict_on_another_wording_of_the_task_does_not_count(tmp_path, monkeypatch):
    folder(tmp_path, monkeypatch, ONCE, [OSLO], [(OSLO, "ann", APPROVE)])
    annotation_data.write_suite(
        Path("candidates"), [annotation_data.task("Oslo", "A week in Oslo, please.")]
    )
    with pytest.raises(BadInput, match="unreviewed"):
        run()


def test_the_new_version_says_what_was_merged_by_whom_and_from_what(tmp_path, monkeypatch, capsys):
    reviews = [(OSLO, "ann", FOUR), (OSLO, "ben", FOUR), (ROME, "ann", REJECT)]
    folder(tmp_path, monkeypatch, ONCE, [OSLO, ROME], reviews)
    parent = suites.read(Path("house")).digest
    run()
    new = suites.read(Path("house"))
    assert [task.id for task in new.tasks] == ["house/Bonn", "house/Oslo"]
    assert new.tasks[1].golds == FOUR.golds
    version = read_version(Path("house"), new)
    assert (version.version, version.digest, version.parent) == (2, new.digest, parent)
    assert version.merged == {"house/Oslo": ("ann", "ben")}
    assert version.corrected == ("house/Oslo",)
    assert version.rejected == {"house/Rome": "unclear"}
    assert version.reviews == hashlib.sha256(Path("reviews.jsonl").read_bytes()).hexdigest()
    assert read_rejected(Path("house")) == [ROME]
    assert "version 2, 1 tasks merged, 1 of them corrected, 1 rejected" in capsys.readouterr().out


def test_the_old_version_stays_scorable_as_it_was(tmp_path, monkeypatch):
    folder(tmp_path, monkeypatch, ONCE, [OSLO], [(OSLO, "ann", APPROVE)])
    old = {path.name: path.read_bytes() for path in Path("house").iterdir()}
    digest = suites.read(Path("house")).digest
    run()
    kept = {path.name: path.read_bytes() for path in Path("house-1").iterdir()}
    assert kept == old
    assert suites.read(Path("house-1")).digest == digest
    # What stays keeps its line, so that an answer to it counts for both versions.
    assert Path("house/tasks.jsonl").read_bytes().startswith(old["tasks.jsonl"])


def test_merging_again_makes_the_next_version_and_the_same_bytes(tmp_path, monkeypatch):
    written = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        folder(tmp_path / name, monkeypatch, ONCE, [OSLO], [(OSLO, "ann", APPROVE)])
        run()
        annotation_data.write_suite(Path("candidates"), [ROME])
        event = annotation_data.review_event(suites.read(Path("candidates")), ROME, "ann", APPROVE)
        jsonl.write(Path("reviews.jsonl"), [event])
        run()
        written.append({p: p.read_bytes() for p in Path().rglob("house*/*")})
    assert written[0] == written[1]
    assert {path.parent.name for path in written[0]} == {"house", "house-1", "house-2"}


def test_a_suite_that_was_changed_by_hand_is_not_merged_into(tmp_path, monkeypatch):
    folder(tmp_path, monkeypatch, ONCE, [OSLO], [(OSLO, "ann", APPROVE)])
    run()
    annotation_data.write_suite(Path("house"), [annotation_data.task("Bonn")])
    annotation_data.write_suite(Path("candidates"), [ROME])
    with pytest.raises(BadInput, match=r"version\.json: digest: .* changed since version 2"):
        run()


def test_a_partial_merge_takes_what_is_ready_and_the_next_one_the_rest(
    tmp_path, monkeypatch, capsys
):
    lima = annotation_data.task("Lima")
    reviews = [(OSLO, "ann", FOUR), (ROME, "ann", REJECT), (lima, "ann", APPROVE)]
    folder(tmp_path, monkeypatch, ONCE, [OSLO, ROME, lima], [*reviews, (lima, "ben", REJECT)])
    with pytest.raises(BadInput, match="the first: house/Lima: conflict"):
        run()
    merge.main(*PATHS, partial=True)
    assert "1 candidates are left for later" in capsys.readouterr().out
    assert [task.id for task in suites.read(Path("house")).tasks] == ["house/Bonn", "house/Oslo"]
    before = {path: path.read_bytes() for path in Path().rglob("house*/*")}
    merge.main(*PATHS, partial=True)
    assert "version 2 stays" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in Path().rglob("house*/*")} == before
    events = [*jsonl.read(Path("reviews.jsonl"), Event)]
    agreed = annotation_data.review_event(
        suites.read(Path("candidates")), lima, "ben", APPROVE, len(events) + 1
    )
    jsonl.write(Path("reviews.jsonl"), [*events, agreed])
    run()
    new = suites.read(Path("house"))
    assert [task.id for task in new.tasks] == ["house/Bonn", "house/Oslo", "house/Lima"]
    assert read_rejected(Path("house")) == [ROME]


def test_a_flagged_candidate_is_not_merged(tmp_path, monkeypatch):
    folder(tmp_path, monkeypatch, ONCE, [OSLO], [(OSLO, "ann", APPROVE)])
    flag = Event(OSLO.id, "ben", 1, "2026-01-01", after=Flag("is Oslo meant?"))
    jsonl.write(Path("reviews.jsonl"), [*jsonl.read(Path("reviews.jsonl"), Event), flag])
    with pytest.raises(BadInput, match=r"house/Oslo: flagged: ben is Oslo meant\?"):
        run()


def test_a_merge_that_is_killed_at_any_rename_can_be_run_again(tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    def merge_with(folder_name, kill_at):
        (tmp_path / folder_name).mkdir()
        folder(tmp_path / folder_name, monkeypatch, ONCE, [OSLO, ROME], reviews)
        steps, replace, rename = iter(range(1, 100)), os.replace, os.rename

        def step(move):
            def moved(*paths):
                if next(steps) == kill_at:
                    raise Killed
                move(*paths)

            return moved

        with monkeypatch.context() as patched:
            patched.setattr(os, "replace", step(replace))
            patched.setattr(os, "rename", step(rename))
            try:
                run()
                killed = False
            except Killed:
                killed = True
        run()
        return killed, {path: path.read_bytes() for path in Path().rglob("house*/*")}

    reviews = [(OSLO, "ann", FOUR), (ROME, "ann", REJECT)]
    _, expected = merge_with("whole", 0)
    results = [merge_with(f"killed-{number}", number) for number in range(1, 10)]
    assert [files for _, files in results] == [expected] * len(results)
    assert [killed for killed, _ in results].count(True) >= 6
    assert results[-1][0] is False  # every rename was tried


def shop(tmp_path, monkeypatch, reviews):
    """A suite that is reviewed by two people in place of candidates."""
    folder(tmp_path, monkeypatch, TWICE, [OSLO, ROME, annotation_data.task("Lima")], reviews)
    return Path("candidates"), Path("reviews.jsonl")


def test_corrected_golds_of_any_suite_become_its_next_overlay(tmp_path, monkeypatch, capsys):
    both = [(OSLO, who, FOUR) for who in ("ann", "ben")]
    paths = shop(tmp_path, monkeypatch, [*both, (ROME, "ann", REJECT), (ROME, "ben", REJECT)])
    old = suites.read(paths[0])
    correct_suite.main(*paths)
    new = suites.read(paths[0])
    assert new.tasks[0].golds == FOUR.golds
    assert (new.version, new.tasks[1:]) == (1, old.tasks[1:])
    (erratum,) = jsonl.read(paths[0] / "overlays/1.jsonl", Erratum)
    assert erratum.reason == "reviewed by ann, ben"
    assert suites.read(paths[0], 0).digest == old.digest
    assert "house/Rome: rejected: unclear" in capsys.readouterr().out
    correct_suite.main(*paths)  # the corrections hold for the corrected suite, too
    assert "version 1 stays: no gold is corrected" in capsys.readouterr().out


def test_a_suite_is_not_corrected_while_reviewers_disagree_unless_the_others_are_wanted(
    tmp_path, monkeypatch
):
    both = [(OSLO, who, FOUR) for who in ("ann", "ben")]
    paths = shop(tmp_path, monkeypatch, [*both, (ROME, "ann", APPROVE)])
    with pytest.raises(BadInput, match="house/Rome: unreviewed: 1 of 2 reviews"):
        correct_suite.main(*paths)
    correct_suite.main(*paths, partial=True)
    assert suites.read(paths[0]).version == 1


def test_a_task_of_another_kind_is_listed_and_its_gold_is_not_counted_under_the_old_kind(
    tmp_path, monkeypatch, capsys
):
    chat = Verdict("correct", (Gold("no_call", "Say that it cannot be done."),))
    opinions = [(OSLO, chat), (ROME, annotation_data.correction(ROME, days=(4,)))]
    both = [(task, who, what) for task, what in opinions for who in ("ann", "ben")]
    folder_and_reviews = shop(tmp_path, monkeypatch, both)
    correct_suite.main(*folder_and_reviews)
    assert "house/Oslo: kind: call became on_topic_chat" in capsys.readouterr().out
    (erratum,) = jsonl.read(folder_and_reviews[0] / "overlays/1.jsonl", Erratum)
    assert erratum.task == "house/Rome"


def test_one_merge_at_a_time_and_no_other_takes_its_folders_away(tmp_path, monkeypatch):
    folder(tmp_path, monkeypatch, ONCE, [OSLO], [(OSLO, "ann", APPROVE)])
    house = Path("house")
    with suite_swap.alone(house), suite_swap.replace_whole(house):
        for other in (run, lambda: correct_suite.main(house, Path("reviews.jsonl"))):
            with pytest.raises(BadInput, match="house: another `make merge` is writing it"):
                other()
        assert Path("house.next").exists()
    run()
    assert len(suites.read(house).tasks) == 2
    assert not Path("house.next").exists()


# Corrections of the shop's own tools, as the default recipe trains on them.
SEARCH = Catalogue(Path("data/catalogue"), ("shop", "cart", "messaging"))
KETTLE_CALL = GoldCall("search_products", {"keyword": ("kettle", "kettles")})
CHEAPER = msgspec.structs.replace(
    KETTLE_CALL, arguments={**KETTLE_CALL.arguments, "max_price": (20,)}
)


def kettle(name, query="Show me a kettle for 20"):
    gold = Gold("call", "Search for a kettle.", (KETTLE_CALL,))
    task = annotation_data.task(name, query, gold)
    return msgspec.structs.replace(task, id=f"house/{name}")


def corrections(tmp_path, monkeypatch, reviews):
    """Candidates with the shop's tools and their corrections, exported into a folder."""
    tasks = {task.id: task for task, _, _ in reviews}
    catalogue = Path("data/catalogue").resolve()
    written = yaml_records.read(Path("params.yaml"), dict[str, object], "written")
    section = ONCE | {"catalogue": {"domains": ["shop", "cart", "messaging"]}}
    folder(tmp_path, monkeypatch, section | {"written": written}, [], [])
    Path("data").mkdir()
    Path("data/catalogue").symlink_to(catalogue)
    tools = {name: SEARCH.tool(name, "en") for name in SEARCH.entries}
    prompt = msgspec.structs.replace(annotation_data.PROMPT, tools=tuple(tools))
    of = suites.Suite("candidates", tools, {prompt.id: prompt}, tuple(tasks.values()))
    suites.write(Path("candidates"), of)
    events = [
        annotation_data.review_event(of, task, who, what, n)
        for n, (task, who, what) in enumerate(reviews, 1)
    ]
    jsonl.write(Path("reviews.jsonl"), events)
    export_corrections.main(*PATHS[:3], Path("written/mine"))


RIGHT = Verdict("correct", (Gold("call", "Search for a kettle up to 20.", (CHEAPER,)),))


def test_corrections_become_examples_that_the_stage_written_trains_on(
    tmp_path, monkeypatch, capsys
):
    ask = Verdict("correct", (Gold("ask", "Ask which."),), query="Show me one", reply="Which one?")
    words = Verdict("correct", RIGHT.golds, query="A kettle for 20, or less")
    reviews = [
        (kettle("a"), "ann", RIGHT),
        (kettle("b", "Got a kettle at all?"), "ann", words),
        (kettle("c", "A kettle!"), "ann", ask),
    ]
    corrections(tmp_path, monkeypatch, reviews)
    assert "3 new examples of 3 corrections" in capsys.readouterr().out
    numbered = list(written_examples.read_folder(Path("written/mine")))
    first, second, third = (example for _, example in numbered)
    assert first.calls == (Call("search_products", {"keyword": "kettle", "max_price": 20}),)
    assert second.query == "A kettle for 20, or less"
    assert (third.decision, third.text, third.kind) == ("ask", "Which one?", "missing_argument")
    p = config.load("written", written_groups.WrittenConfig)
    tools = [SEARCH.tool(name, "en") for name in SEARCH.entries]
    groups = written_groups.build_groups(
        numbered, tools, ContaminationFilter((), 1.0), msgspec.structs.replace(p, validation=0.0)
    )
    trained = [t.turns[-1] for group in groups.training for t in group.trajectories]
    assert all(example.answer in trained for example in (first, second, third))
    assert groups.rejects == []
    export_corrections.main(*PATHS[:3], Path("written/mine"))  # nothing twice
    assert "0 new examples of 3 corrections" in capsys.readouterr().out


def test_corrections_that_cannot_be_trained_on_are_counted_by_reason(tmp_path, monkeypatch, capsys):
    unsaid = msgspec.structs.replace(CHEAPER, arguments={"keyword": ("lamp",)})
    no_reply = Verdict("correct", (Gold("ask", "Ask which."),))
    chat = (Gold("no_call", "Say that it cannot be done."),)
    bonn = "Three days in Bonn, please plan them."  # as the suite has it
    in_suite = Verdict("correct", chat, query=bonn, reply="I sell things only.")
    reviews = [
        (kettle("a"), "ann", Verdict("correct", (Gold("call", "Search.", (unsaid,)),))),
        (kettle("b"), "ann", no_reply),
        (kettle("c"), "ann", in_suite),
        (msgspec.structs.replace(kettle("d"), kind="nested"), "ann", RIGHT),
        (kettle("e"), "ann", RIGHT),
        (kettle("e"), "ben", Verdict("approve")),
        (kettle("f"), "ann", RIGHT),
        (kettle("f"), "ben", Flag("20 what?")),
    ]
    corrections(tmp_path, monkeypatch, reviews)
    out = capsys.readouterr().out
    assert "0 new examples of 6 corrections" in out
    for reason in (
        "1 unsaid_value",
        "1 no_reply",
        "1 kind, such as house/d: written examples",
        "1 conflict, such as house/e: ann: correct, ben: approve",
        "1 flagged, such as house/f: ben 20 what?",
    ):
        assert reason in out
    assert "run `make corrections` before `make merge`" in out
    assert not Path("written/mine").exists()


def test_a_correction_that_is_for_training_is_not_merged_into_the_suite(tmp_path, monkeypatch):
    corrections(tmp_path, monkeypatch, [(kettle("a"), "ann", RIGHT)])
    with pytest.raises(BadInput, match="house/a: in the training data: exact: Show me a kettle"):
        run()


@pytest.mark.parametrize(
    ("query", "gold", "reasons"),
    [
        ("Plan a trip of some days to Oslo", OSLO.golds[0], []),
        ("Weather of a city on my trip?", OSLO.golds[0], ["similar word overlap with get_weather"]),
        ("Weather of a city", Gold("no_call"), ["word overlap with get_weather"]),
        ("Good morning", Gold("no_call"), []),
    ],
    ids=["clear", "near tie", "tempting", "far off"],
)
def test_words_that_fit_another_tool_raise_the_priority(query, gold, reasons):
    task = annotation_data.task("Oslo", query, gold)
    word_overlap = WordOverlap(annotation_data.TOOLS)
    computed = priority.compute_priority(
        task, annotation_data.TOOLS, word_overlap, None, annotation_data.REVIEW_CONFIG.ties
    )
    assert list(computed.reasons) == reasons
    assert (computed.weight > 0) == bool(reasons)


def test_a_judge_that_disagrees_comes_before_any_tie():
    tie = annotation_data.task("Rome", "Weather of a city on my trip?")
    of = annotation_data.suite([tie, OSLO])
    judged = {OSLO.id: Judgement(OSLO.id, 2, "days are not said")}
    (first, why), _ = priority.prioritize_tasks(of, judged, annotation_data.REVIEW_CONFIG.ties)
    assert first == OSLO
    assert why.reasons[0] == "judge: 2 of 5 days are not said"


def test_events_of_the_old_file_still_read(tmp_path):
    """The format of reviews.jsonl: what is in git must stay readable."""
    line = (
        '{"subject":"house/Oslo","who":"ann","number":1,"when":"2026-01-01T00:00:00.000+00:00",'
        '"after":{"kind":"verdict","action":"approve"},"shown":"0123"}\n'
    )
    (tmp_path / "reviews.jsonl").write_text(line)
    (event,) = jsonl.read(tmp_path / "reviews.jsonl", Event)
    assert msgspec.json.encode(event).decode() + "\n" == line
