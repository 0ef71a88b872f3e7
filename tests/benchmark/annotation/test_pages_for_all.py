"""The pages can be read and used by all: at every width, in both schemes and languages, by WCAG."""

import re
from pathlib import Path

import pytest

from benchmark.annotation.rating.rubric import BANDS
from benchmark.annotation.review.verdicts import REJECTION_REASONS
from benchmark.annotation.web import guidelines, wording
from benchmark.annotation.web.events import Flag, Rating, Verdict
from benchmark.tasks import suites
from tests.support import annotation_data, axe

browser = pytest.importorskip("tests.support.browser", exc_type=ImportError)
from tests.support.browser import WIDTHS, faint, look, nameless, served, shoot  # noqa: E402

WEB = Path("benchmark/annotation/web")
LONG = {
    "en": "Please plan " + "a very long and winding trip " * 80 + "w" * 400,
    "zh": "请帮我安排三天的行程，" * 200,
}
EVIL = (
    "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">\u202eabc"
)


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """Candidates in every state, and ratings of two people."""
    folder = tmp_path_factory.mktemp("desk")
    tasks = [
        annotation_data.task("Oslo", LONG["en"]),
        annotation_data.task("Rome", LONG["zh"]),
        annotation_data.task("Bern", EVIL),
        annotation_data.task("Lima"),
    ]
    of = annotation_data.suite(tasks)
    review, queue = annotation_data.open_review(folder, of, annotation_data.TWICE, Oslo=1)

    def record(who, task, verdict):
        queue.journal.record(who, task.id, verdict, queue.shown[task.id])

    record("ann", tasks[3], annotation_data.correction(tasks[3], days=(4,)))
    record("ben", tasks[3], Verdict("reject", reason="ambiguous", comment="two fit"))
    queue.journal.record("ann", tasks[0].id, Flag("is Oslo meant?"))
    texts = {"base": "I cannot. {}", "tuned": "Sure. {}"}
    rate, sheet = annotation_data.open_rating(folder, annotation_data.suite(), texts)
    for number, answer in enumerate(sheet.answers):
        for who in ("ann", "ben"):
            sheet.journal.record(who, answer.id, Rating((number + (who == "ben")) % 6))
    return review, queue, rate


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.slow
@pytest.mark.skipif(not browser.CHROMIUM, reason="NO BROWSER: apt-get install chromium")
def test_pages_fit_and_pass_wcag_at_every_width_in_both_schemes(
    opened, driver, axe_script, width, scheme
):
    review, queue, rate = opened
    conflict = queue.places["house/Lima"]
    pages = {
        review: (
            "",
            *(f"ann/{n}" for n in (1, 2, 3)),
            f"ann/{conflict}",
            "ann/all",
            "ann/all?ui=zh",
            "ann/9",
        ),
        rate: ("ann/1?ui=zh", "ann/1?ui=en", "ann/agreement"),
    }
    look(driver, width, scheme)
    driver.get_log("browser")  # of the tests before
    for blueprint, paths in pages.items():
        with served(blueprint, "Review" if blueprint is review else "Rate") as url:
            for page in paths:
                driver.get(url + page)
                guide = driver.find_element("id", "guide")
                if guide.is_displayed() != (page == "ann/3"):  # it is open at the first visit
                    driver.find_element("id", "guide-button").click()
                shoot(driver, f"{re.sub('[^a-z0-9]+', '-', page) or 'welcome'}-{width}-{scheme}")
                assert driver.execute_script(TOO_WIDE) == 0, page
                assert "owned" not in driver.title
                assert axe.find_violations(driver, axe_script) == [], page
                assert faint(driver) + nameless(driver) + browser.weak_edges(driver) == [], page
    found = [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    assert all("404" in entry["message"] for entry in found)  # the page that is not there
    look(driver, 1280)


TOO_WIDE = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"


def test_every_word_of_the_pages_is_there_in_chinese():
    sources = [*WEB.glob("templates/*"), *WEB.glob("*.py"), *Path(WEB.parent).glob("*/*_pages.py")]
    text = "\n".join(path.read_text() for path in sources)
    called = re.compile(r"""(?:\b_|translate)\(\s*(?:"([^"]+)"|'([^']+)')""")
    words = {double or single for double, single in called.findall(text)}
    for table in re.findall(r"\b_\(\{(.*?)\}\[", text):
        words |= set(re.findall(r': "([^"]+)"', table))
    words |= set(REJECTION_REASONS.values()) | {"Review", "Rate", "approve", "correct", "reject"}
    words |= {word for _, *band in BANDS for word in band if word}
    chinese = wording.read_chinese()
    assert words - chinese.keys() == set()
    slots = re.compile(r"\{\w+\}")
    for english, words_there in chinese.items():
        assert set(slots.findall(english)) == set(slots.findall(words_there))


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_the_guidelines_define_every_kind_decision_reason_and_band(language):
    text = guidelines.read(language)
    ours = (suites.read(Path("benchmark/suites") / name) for name in ("house", "shop"))
    kinds = {task.kind for suite in ours for task in suite.tasks}
    for name in {*kinds, "nested", "irrelevant", "call", "ask", "no_call", *REJECTION_REASONS}:
        assert re.search(rf"^- `{name}`[:：]", text, re.MULTILINE), name
    for band in BANDS:
        assert re.search(rf"^- \*\*{band.score}\*\*[:：]", text, re.MULTILINE), band
    assert "<h2>" in guidelines.render(language)
