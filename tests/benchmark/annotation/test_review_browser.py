"""Review and rating as a person does them: a real Chromium, the keyboard alone.

Without Debian's chromium and chromium-driver these tests are skipped; CI installs both.
SHOTS=folder keeps a screenshot of every page, to look at.
"""

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from werkzeug.serving import make_server

from agent_tuning.files import jsonl
from agent_tuning.records import Assistant, BadInput, Group, PromptSpec, Trajectory, User
from benchmark.annotation.rating import results
from benchmark.annotation.review import merge
from benchmark.annotation.review.verdicts import DoubleReview
from benchmark.annotation.web.events import Rating, Verdict, find_current
from benchmark.annotation.web.pages import create_app
from benchmark.annotation.web.server import SilentRequestHandler
from benchmark.tasks import suites
from benchmark.tasks.suite_version import read_version
from tests.support import annotation_data

webdriver = pytest.importorskip("selenium.webdriver")
from selenium.webdriver import ActionChains  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER),
        reason="NO BROWSER: apt-get install chromium chromium-driver, or the pages go untested",
    ),
]
FLAGS = [
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--disable-dev-shm-usage",
]
WIDTHS = (1280, 400)


class Person:
    """Somebody at the keyboard; never touches the mouse."""

    def __init__(self, driver, url: str, name: str) -> None:
        self.driver, self.name = driver, name
        driver.get(url)
        self.until(lambda: driver.switch_to.active_element.get_attribute("name") == "who")
        self.press(name, Keys.ENTER, turning=True)

    def press(self, *keys: str, turning: bool = False, held: str = "") -> None:
        """Keys; with `turning`, wait for the page that they lead to."""
        page = self.driver.find_element(By.TAG_NAME, "html")
        hand = ActionChains(self.driver)
        if held:
            hand.key_down(held).send_keys(*keys).key_up(held).perform()
        else:
            hand.send_keys(*keys).perform()
        if turning:
            self.until(lambda: self.driver.find_element(By.TAG_NAME, "html") != page)
            ready = "return document.readyState === 'complete'"
            self.until(lambda: self.driver.execute_script(ready))

    def hold_control(self, key: str, turning: bool = False) -> None:
        self.press(key, turning=turning, held=Keys.CONTROL)

    def until(self, what) -> None:
        WebDriverWait(self.driver, 30, 0.03).until(lambda _: what())

    def text(self, css: str) -> str:
        return self.driver.find_element(By.CSS_SELECTOR, css).text

    def sees(self, css: str, text: str) -> None:
        self.until(lambda: text in self.text(css))

    def walk_to(self, field: str) -> None:
        """Tab on until the field has the focus."""
        for _ in range(40):
            if self.driver.switch_to.active_element.get_attribute("name") == field:
                return
            self.press(Keys.TAB)
        raise AssertionError(f"the keyboard does not reach {field}")

    @property
    def task(self) -> str:
        return self.text("#task")


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in [*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options=options, service=Service(DRIVER))
    look(started, 1280)
    yield started
    started.quit()


def look(driver, width: int, scheme: str = "light") -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)


@contextmanager
def served(blueprint, title: str) -> Iterator[str]:
    app, token = create_app(blueprint, title)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=SilentRequestHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}/{token}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def shoot(driver, name: str) -> None:
    if folder := os.environ.get("SHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        driver.save_screenshot(f"{folder}/{name}.png")


def current_opinions(queue, who: str) -> dict[str, object]:
    current = find_current(queue.journal.events())
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
        ann.press(Keys.ESCAPE, "f", turning=True)
        ann.sees("[id='wrong.0.0.days']", "expected JSON of type integer: many")
        assert len(current_opinions(queue, "ann")) == 8
        ann.walk_to("0.0.days")
        ann.hold_control("a")
        ann.press("4", Keys.ENTER, "5")
        ann.until(lambda: not ann.text("[id='wrong.0.0.days']"))
        ann.sees("#diff", "days: 4 | 5")
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
    ]
    with served(blueprint, "Review") as url:
        ann = Person(driver, url, "ann")
        ann.press("a", turning=True)
        ann.press("a", turning=True)
        assert ann.text("#progress") == "0 of 2"
        ben = Person(driver, url, "ben")
        first = ben.task
        ben.press("a", turning=True)
        ben.press("r", "3", turning=True)
        ben.sees("h1", "1 task to do")
        ben.sees(".list", "conflict")
        shoot(driver, "conflict")
        with pytest.raises(BadInput, match=r"conflict: ann: approve, ben: reject \(ungrounded\)"):
            merge.main(*paths)
        ben.press("u", turning=True)
        assert ben.task != first
        ben.press("a", turning=True)
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
    current = find_current(sheet.journal.events())
    assert {after.score for by in current.values() for after in [by["ann"].after]} == {2, 5}
    comments = [e.after.comment for by in current.values() for e in by.values() if e.after.comment]
    assert comments == ["so so", "so so"]
    assert all(isinstance(e.after, Rating) for by in current.values() for e in by.values())


LONG = {
    "en": "Please plan " + "a very long and winding trip " * 80 + "w" * 400,
    "zh": "请帮我安排三天的行程，" * 200,
}
EVIL = (
    "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">\u202eabc"
)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_and_can_be_read_at_every_width_in_both_schemes(tmp_path, driver, width, scheme):
    tasks = [
        annotation_data.task("Oslo", LONG["en"]),
        annotation_data.task("Rome", LONG["zh"]),
        annotation_data.task("Bern", EVIL),
    ]
    blueprint, _ = annotation_data.open_review(tmp_path, annotation_data.suite(tasks), Oslo=1)
    look(driver, width, scheme)
    driver.get_log("browser")  # of the tests before
    with served(blueprint, "Review") as url:
        for page in ("", "ann/1", "ann/2", "ann/3", "ann/all"):
            driver.get(url + page)
            shoot(driver, f"{page.replace('/', '-') or 'welcome'}-{width}-{scheme}")
            wide = (
                "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert driver.execute_script(wide) == 0, page
            assert faint(driver) == [], page
            assert "owned" not in driver.title
            assert nameless(driver) == [], page
    assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []
    look(driver, 1280)


def faint(driver) -> list[str]:
    """Texts whose contrast with what is behind them is below 4.5:1 (WCAG AA)."""
    return driver.execute_script("""
const rgb = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
  .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const behind = (e) => { for (; e; e = e.parentElement) {
  const c = rgb(getComputedStyle(e).backgroundColor);
  if (c.length === 3 || c[3] === 1) return c; }
  return [255, 255, 255]; };
return [...document.querySelectorAll("body *")].filter((e) => e.checkVisibility()
  && !e.closest(":disabled, kbd, .away, a.button:not([href])")
  && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())).filter((e) => {
  const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05) < 4.5; }).map((e) => e.outerHTML.slice(0, 80));
""")


def nameless(driver) -> list[str]:
    """Fields and buttons that a screen reader could not name."""
    return driver.execute_script("""
const fields = "input:not([type=hidden]), textarea, select, button, summary, a";
return [...document.querySelectorAll(fields)].filter((e) => e.checkVisibility())
  .filter((e) => !(e.labels?.length) && !e.ariaLabel && !e.textContent.trim())
  .map((e) => e.outerHTML.slice(0, 80));
""")


def test_another_tool_brings_its_own_fields_and_keeps_the_focus(tmp_path, driver):
    blueprint, queue = annotation_data.open_review(
        tmp_path, annotation_data.suite([annotation_data.task("Oslo")])
    )
    with served(blueprint, "Review") as url:
        ann = Person(driver, url, "ann")
        ann.press("f")
        ann.walk_to("0.0.tool")
        ann.press("get_w")  # a select goes to what is typed
        ann.until(lambda: not driver.find_elements(By.NAME, "0.0.days"))
        ann.until(lambda: driver.switch_to.active_element.get_attribute("name") == "0.0.tool")
        assert not driver.find_element(By.CSS_SELECTOR, "[value=approve]").is_enabled()
        ann.walk_to("0.0.city")
        ann.hold_control("a")
        ann.press(Keys.BACKSPACE)
        ann.sees("[id='wrong.0.0.city']", "required")
        ann.press("Oslo")
        ann.sees("#diff", "get_weather")
        ann.press(Keys.ESCAPE, "f", turning=True)
    (verdict,) = current_opinions(queue, "ann").values()
    assert [call.name for call in verdict.golds[0].calls] == ["get_weather"]


def test_the_users_words_are_corrected_by_keys_and_held_against_the_arguments(tmp_path, driver):
    blueprint, queue = annotation_data.open_review(
        tmp_path, annotation_data.suite([annotation_data.task("Oslo")])
    )
    with served(blueprint, "Review") as url:
        ann = Person(driver, url, "ann")
        ann.press("q")
        ann.hold_control("a")
        ann.press("A trip of 3 days to Rome")
        ann.sees("[id='note.0.0.city']", "nobody said this")
        ann.sees("#diff", "user: A trip of 3 days to Rome")
        shoot(driver, "reworded")
        ann.hold_control("a")
        ann.press("A trip of 3 days to Oslo")
        ann.until(lambda: not ann.text("[id='note.0.0.city']"))
        ann.hold_control(Keys.ENTER, turning=True)
        ann.sees("h1", "All 1 tasks are done")
    (verdict,) = current_opinions(queue, "ann").values()
    assert verdict.query == "A trip of 3 days to Oslo"
