"""Review and rating as a person does them: a real Chromium, the keyboard alone."""

from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from agent_tuning.files import jsonl
from agent_tuning.records import Assistant, BadInput, Group, PromptSpec, Trajectory, User
from benchmark.annotation.rating import results
from benchmark.annotation.review import merge
from benchmark.annotation.review.verdicts import DoubleReview
from benchmark.annotation.web.access import Access
from benchmark.annotation.web.events import Rating, Verdict, find_current
from benchmark.tasks import suites
from benchmark.tasks.suite_version import read_version
from benchmark.tasks.suites import Gold
from tests.support import annotation_data

browser = pytest.importorskip("tests.support.browser", exc_type=ImportError)
from selenium.common.exceptions import WebDriverException  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

from tests.support.browser import Person, served, shoot  # noqa: E402

pytestmark = browser.NEEDS_BROWSER


def current_opinions(queue, who: str) -> dict[str, object]:
    current = find_current(queue.journal.events(), Verdict)
    return {subject: by[who].after for subject, by in current.items() if who in by}


def test_ten_tasks_are_reviewed_by_keys_alone(tmp_path, driver):
    blueprint, queue = annotation_data.open_review(tmp_path, annotation_data.suite())
    order = [task.id for task, _ in queue.order]
    with served(blueprint, "Review") as url:
        ann = Person(driver, url, "ann")
        assert ann.text("#progress") == "0 of 11"
        for number in range(7):
            assert ann.task == order[number]
            ann.press("a", turning=True)
        ann.press("r", "2", turning=True)
        ann.sees("#status", "Rejected task 8")
        ann.press("j", turning=True)
        assert ann.task == order[9]
        ann.press("k", turning=True)
        assert ann.task == order[8]

        # Correct: first with an argument that does not fit, then with one that does.
        ann.press("f")
        ann.walk_to("0.0.days")
        ann.press(Keys.END, Keys.BACKSPACE, "many")
        ann.sees("[id='wrong.0.0.days']", "expected JSON of type integer: many")
        shoot(driver, "invalid")
        ann.press(Keys.ESCAPE, "f")
        ann.sees("#status", "Not saved: expected JSON of type integer: many")
        assert driver.switch_to.active_element.get_attribute("name") == "0.0.days"
        ann.press(Keys.ESCAPE, "a")  # approves nothing that is typed over
        ann.sees("#status", "save it as a correction")
        assert len(current_opinions(queue, "ann")) == 8
        ann.walk_to("0.0.days")
        ann.hold_control("a")
        ann.press("4", Keys.ENTER, "5")
        ann.until(lambda: not ann.text("[id='wrong.0.0.days']"))
        ann.sees("#diff", "days: 5")
        shoot(driver, "valid")
        ann.hold_control(Keys.ENTER, turning=True)
        ann.sees("#status", "Corrected task 9")
        assert ann.text("#progress") == "9 of 11"

        # Undo goes back to what it undoes.
        ann.press("a", turning=True)
        ann.press("u", turning=True)
        assert ann.task == order[9]
        ann.sees("#status", "Taken back")
        ann.press("a", turning=True)
        assert ann.text("#progress") == "10 of 11"
    verdicts = [current_opinions(queue, "ann")[task] for task in order[:10]]
    assert verdicts[:7] == [Verdict("approve")] * 7
    assert verdicts[7] == Verdict("reject", reason="ambiguous")
    (gold,) = verdicts[8].golds
    assert gold.calls[0].arguments["days"] == (4, 5)
    assert verdicts[9] == Verdict("approve")
    assert order[10] not in current_opinions(queue, "ann")


def test_a_conflict_of_two_reviewers_blocks_the_merge_until_they_agree(
    tmp_path, driver, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    double = DoubleReview(seed=0, share=1.0)
    section = {
        **annotation_data.build_review_section(1.0),
        "decontamination": {"near_benchmark": 0.7},
    }
    Path("params.yaml").write_bytes(msgspec.yaml.encode(section))
    annotation_data.write_suite(Path("house"), [annotation_data.task("Bonn")])
    of = annotation_data.write_suite(
        Path("candidates"), [annotation_data.task("Oslo"), annotation_data.task("Rome")]
    )
    trained = Trajectory("t", (User("Hello"), Assistant("no_call")), "general", "en")
    jsonl.write(Path("mixed.jsonl"), [Group("g", PromptSpec("g", "en", ()), (trained,))])
    blueprint, _ = annotation_data.open_review(
        Path("candidates"),
        of,
        msgspec.structs.replace(annotation_data.REVIEW_CONFIG, double=double),
    )
    paths = [
        Path("house"),
        Path("candidates"),
        Path("candidates/reviews.jsonl"),
        Path("mixed.jsonl"),
        Path("written"),
    ]
    with served(blueprint, "Review") as url:
        ann = Person(driver, url, "ann")
        ann.press("a", turning=True)
        ann.press("f")
        ann.walk_to("0.0.days")
        ann.hold_control("a")
        ann.press("4")
        ann.hold_control(Keys.ENTER, turning=True)
        assert ann.text("#progress") == "2 of 2"
        ann.sees("h1", "You have reviewed all that you can")
        ben = Person(driver, url, "ben")
        first = ben.task
        ben.press("a", turning=True)
        ben.press("r", "3", turning=True)
        ben.sees("h1", "1 conflict to settle")
        ben.press("n", turning=True)
        ben.sees("#conflict", "You do not agree yet")
        ben.sees(".conflict-box", "days: 4")
        fits = "const box = document.querySelector('.conflict-box');"
        assert driver.execute_script(fits + "return box.scrollHeight <= box.clientHeight")
        assert ben.task != first
        shoot(driver, "conflict")
        with pytest.raises(BadInput, match=r"conflict: ann: correct, ben: reject \(ungrounded\)"):
            merge.main(*paths)
        ben.press("t", turning=True)
        ben.sees("h1", "All 2 tasks are done")
    merge.main(*paths)
    new = suites.read(Path("house"))
    assert {task.id for task in new.tasks} == {"house/Bonn", "house/Oslo", "house/Rome"}
    assert set(read_version(Path("house"), new).merged.values()) == {("ann", "ben")}


def test_twenty_answers_are_rated_by_two_people_who_then_see_how_far_they_agree(tmp_path, driver):
    texts = {"base": "I cannot. {}", "tuned": "Sure. {}"}
    blueprint, sheet = annotation_data.open_rating(tmp_path, annotation_data.suite(), texts)
    assert len(sheet.answers) == 20
    versions = {answer.id: answer.versions[0] for answer in sheet.answers}
    with served(blueprint, "Rate") as url:
        for name, marks in (
            ("ann", {"base": "2", "tuned": "5"}),
            ("ben", {"base": "1", "tuned": "5"}),
        ):
            person = Person(driver, url, name)
            order, _ = sheet.read_for(name)
            for number, answer in enumerate(order):
                assert person.text("#progress") == f"{number} of 20"
                if number == 10:  # away and back: it resumes
                    person = Person(driver, url, name)
                    assert person.text("#progress") == "10 of 20"
                if number == 3:
                    person.press("c", "so so")
                    person.press(Keys.ESCAPE)
                person.press(
                    "0" if number == 19 and name == "ben" else marks[versions[answer.id]],
                    turning=True,
                )
            person.press("u", turning=True)
            assert person.text("#progress") == "19 of 20"
            person.press(marks[versions[order[19].id]], turning=True)
        person.sees("h1", "agree well enough")
        person.sees("table", "tuned")
        shoot(driver, "agreement")
        alpha = results.compute_metrics(
            results.read_scores(sheet.journal.events(), sheet.answers),
            sheet.answers,
            {},
            annotation_data.RATING_CONFIG,
        )["alpha"]
        person.sees(".lead", f"α {alpha:.2f}")
    current = find_current(sheet.journal.events(), Rating)
    assert {after.score for by in current.values() for after in [by["ann"].after]} == {2, 5}
    comments = [e.after.comment for by in current.values() for e in by.values() if e.after.comment]
    assert comments == ["so so", "so so"]
    assert all(isinstance(e.after, Rating) for by in current.values() for e in by.values())


def test_another_tool_or_decision_brings_its_own_fields_and_keeps_the_focus(tmp_path, driver):
    blueprint, queue = annotation_data.open_review(
        tmp_path,
        annotation_data.suite([annotation_data.task("Oslo"), annotation_data.task("Rome")]),
    )
    with served(blueprint, "Review") as url:
        ann = Person(driver, url, "ann")
        ann.press("f")
        ann.choose("0.0.tool", "get_w")  # a select goes to what is typed
        assert not driver.find_elements(By.NAME, "0.0.days")
        assert not driver.find_element(By.CSS_SELECTOR, "[value=approve]").is_enabled()
        ann.walk_to("0.0.city")
        ann.hold_control("a")
        ann.press(Keys.BACKSPACE)
        ann.sees("[id='wrong.0.0.city']", "required")
        ann.press("Oslo")
        ann.sees("#diff", "get_weather")
        ann.press(Keys.ESCAPE, "f", turning=True)

        # Another decision takes the description away, and wants a new one.
        ann.press("f")
        ann.choose("0.decision", "ask")
        ann.sees("#editor", "Of the other decision: Plan three days in Rome.")
        ann.hold_control(Keys.ENTER)
        ann.sees("#status", "Not saved: say what the model should do")
        ann.until(lambda: ann.focus == "0.thought")
        ann.press("Ask how long.")
        ann.hold_control(Keys.ENTER, turning=True)
    opinions = current_opinions(queue, "ann")
    assert [call.name for call in opinions["house/Oslo"].golds[0].calls] == ["get_weather"]
    assert opinions["house/Rome"].golds == (Gold("ask", "Ask how long."),)


def test_approve_keeps_ones_own_correction_and_never_what_is_typed(tmp_path, driver):
    blueprint, queue = annotation_data.open_review(tmp_path, annotation_data.suite())
    with served(blueprint, "Review") as url:
        ann = Person(driver, url, "ann")
        ann.press("f")
        ann.walk_to("0.0.days")
        ann.press(Keys.END, "7")
        ann.hold_control(Keys.ENTER, turning=True)
        ann.press("k", turning=True)
        ann.sees("[value=approve]", "Keep my correction")
        ann.press("a", turning=True)
        ann.sees("#status", "Your verdict on task 1 stays.")
        (kept,) = current_opinions(queue, "ann").values()
        assert kept.golds[0].calls[0].arguments["days"] == (37,)
        ann.press("k", turning=True)
        ann.press("d", turning=True)
        ann.sees(".shows", "Approving it replaces your correction")
        ann.press("a", turning=True)
    assert list(current_opinions(queue, "ann").values()) == [Verdict("approve")]


def test_what_is_typed_survives_a_stopped_server_and_a_closed_window(tmp_path, driver):
    access = Access(secret="a secret of the test")
    blueprint, queue = annotation_data.open_review(tmp_path, annotation_data.suite())
    with served(blueprint, "Review", access) as url:
        ann = Person(driver, url, "ann")
        task = ann.task
        ann.press("f")
        ann.choose("0.0.tool", "get_w")
        ann.walk_to("0.thought")
        ann.press(Keys.END, " And look again.")
    port = int(url.split(":")[2].split("/")[0])
    ann.hold_control(Keys.ENTER)
    ann.sees("#status", "The server does not answer")
    again, _ = annotation_data.open_review(tmp_path, annotation_data.suite())
    with served(again, "Review", access, port):
        driver.refresh()
        ann.sees("#status", "not saved is here again")
        ann.until(lambda: driver.find_elements(By.NAME, "0.0.city"))
        ann.hold_control(Keys.ENTER, turning=True)
    verdict = current_opinions(queue, "ann")[task]
    assert verdict.golds[0].thought.endswith(" And look again.")
    assert verdict.golds[0].calls[0].name == "get_weather"


BESIDE = """
const [main, guide] = ["main", "#guide"]
  .map((css) => document.querySelector(css).getBoundingClientRect());
return guide.left >= main.right && guide.top < 100 && guide.width > 300; """


def test_the_guidelines_open_beside_the_item_and_single_keys_can_be_switched_off(tmp_path, driver):
    blueprint, queue = annotation_data.open_review(tmp_path, annotation_data.suite())
    with served(blueprint, "Review") as url:
        ann = Person(driver, url, "ann")
        ann.sees("#guide", "What you decide")  # at the first visit: a link may be all that one has
        ann.press("l", turning=True)
        ann.until(lambda: driver.execute_script(BESIDE))
        ann.press("n", turning=True)
        ann.until(lambda: driver.execute_script(BESIDE))
        ann.press("h")
        ann.until(lambda: not driver.find_element(By.ID, "guide").is_displayed())
        ann.press("j", turning=True)
        assert not driver.find_element(By.ID, "guide").is_displayed()  # it stays as it was left
        ann.press("h")
        ann.sees("#guide", "What you decide")
        driver.find_element(By.ID, "guide-close").send_keys(Keys.ENTER)
        ann.until(lambda: not driver.find_element(By.ID, "guide").is_displayed())
        keys = driver.find_element(By.ID, "keys")
        keys.send_keys(Keys.SPACE)
        ann.sees("#status", "Single keys are off")
        ann.press(Keys.ESCAPE, "a", "r", "h")
        assert not driver.find_element(By.ID, "guide").is_displayed()
        keys.send_keys(Keys.SPACE)
        ann.press(Keys.ESCAPE, "a", turning=True)
    assert len(current_opinions(queue, "ann")) == 1


def test_a_page_whose_scripts_did_not_arrive_is_loaded_again(tmp_path, driver):
    def is_deaf():
        with suppress(WebDriverException):  # between two pages
            return driver.execute_script("return document.documentElement.inert")

    def block(*patterns):
        driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": patterns})

    blueprint, queue = annotation_data.open_review(tmp_path, annotation_data.suite())
    with served(blueprint, "Review") as url:
        ann = Person(driver, url, "ann")
        driver.execute_cdp_cmd("Network.enable", {})
        driver.execute_cdp_cmd("Network.setCacheDisabled", {"cacheDisabled": True})
        block("*/send.js")  # as if the server stopped after the page and before this file
        driver.refresh()
        ann.until(is_deaf)
        block()
        driver.execute_cdp_cmd("Network.setCacheDisabled", {"cacheDisabled": False})
        ann.until(lambda: is_deaf() is False)
        ann.press("a", turning=True)
    assert len(current_opinions(queue, "ann")) == 1


def test_the_users_words_are_corrected_by_keys_and_held_against_the_arguments(tmp_path, driver):
    blueprint, queue = annotation_data.open_review(
        tmp_path, annotation_data.suite([annotation_data.task("Oslo")])
    )
    with served(blueprint, "Review") as url:
        ann = Person(driver, url, "ann")
        ann.press("q")
        ann.hold_control("a")
        ann.press("A trip of 3 days to Rome")
        ann.sees("[id='note.0.0.city']", "not said in these words")
        ann.sees("#diff", "user: A trip of 3 days to Rome")
        shoot(driver, "reworded")
        ann.hold_control("a")
        ann.press("A trip of 3 days to Oslo")
        ann.until(lambda: not ann.text("[id='note.0.0.city']"))
        ann.hold_control(Keys.ENTER, turning=True)
        ann.sees("h1", "All 1 tasks are done")
    (verdict,) = current_opinions(queue, "ann").values()
    assert verdict.query == "A trip of 3 days to Oslo"
