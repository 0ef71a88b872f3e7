"""The pages in a real browser: fast at 5,000 rows, usable by all, and deaf to hostile answers."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent_tuning.files import jsonl
from agent_tuning.quality.verify import Reject
from agent_tuning.records import Group
from agent_tuning.tokens.chat_template import ChatTokenizer
from benchmark.pages import browse, row_page
from tests.conftest import call
from tests.support import axe, page_data, report_data

browser = pytest.importorskip("tests.support.browser", exc_type=ImportError)
from tests.support.browser import WIDTHS, look, shoot  # noqa: E402

pytestmark = browser.NEEDS_BROWSER
MOST_BYTES, OPEN_S, FILTER_S = 15e6, 2.0, 0.2
TEXT = 'document.querySelector("[name=text]")'
# From the event to the next painted frame; the thread is free again.
TIME_FILTER = f"""
const done = arguments[arguments.length - 1], begun = performance.now();
{TEXT}.value = arguments[0];
{TEXT}.form.dispatchEvent(new Event("input", {{bubbles: true}}));
document.body.offsetHeight;
done(performance.now() - begun);
"""
SMUGGLE = """
const place = document.createElement("b");
try { place.innerHTML = `<img src=x onerror="document.title=1">`; } catch { }
document.body.append(place);
"""
OPEN_THREE = """
document.querySelectorAll('#rows > li > details').forEach((row, i) => row.open = i < 3);
"""
OPEN_PROMPTS = "document.querySelectorAll('.body details').forEach(fold => fold.open = true)"
IS_WIDE = """
const page = document.documentElement;
return page.scrollWidth > page.clientWidth;
"""
TIME_OPEN = "const [n] = performance.getEntriesByType('navigation'); return n.loadEventEnd;"


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with browser.start_browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    report_data.write_base(folder / "base")
    row_page.write(folder / "answers.html", page_data.build_page(5000, folder / "base"))
    return folder / "answers.html"


def test_5000_rows_are_small_and_open_and_filter_fast(driver: Any, many: Path) -> None:
    assert many.stat().st_size <= MOST_BYTES
    look(driver, 1280)

    driver.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})

    def measure_open() -> tuple[float, float]:
        driver.get("about:blank")
        before = read_busy_time(driver)
        driver.get(many.as_uri())
        busy = read_busy_time(driver)
        wall = float(driver.execute_script(TIME_OPEN)) / 1000
        return (busy - before if busy >= before else busy, wall)

    def measure_filter() -> float:
        return float(driver.execute_async_script(TIME_FILTER, str(time.monotonic_ns()))) / 1000

    opened, wall = min(measure_open() for _ in range(3))
    filtered = min(measure_filter() for _ in range(5))
    size = many.stat().st_size / 1e6
    print(f"{size:.1f} MB, opens in {opened:.2f} s ({wall:.2f} s by the clock)")
    print(f"filters in {filtered:.3f} s")
    assert opened <= OPEN_S
    assert filtered <= FILTER_S


def read_busy_time(driver: Any) -> float:
    """Seconds of a core that the page's thread has used: what else runs is no cost of the page."""
    read = driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    return next(float(one["value"]) for one in read if one["name"] == "TaskDuration")


def count(driver: Any) -> str:
    return str(driver.execute_script("return document.getElementById('count').textContent"))


def test_filters_narrow_down_and_every_row_has_an_address(driver: Any, many: Path) -> None:
    driver.get(many.as_uri() + "?1")
    assert count(driver) == "5,000 of 5,000 tasks"
    choose = """
      const field = document.querySelector(`[name="${arguments[0]}"]`);
      if (field.type === "checkbox") field.checked = true; else field.value = arguments[1];
      field.dispatchEvent(new Event("input", {bubbles: true}));"""
    driver.execute_script(choose, "decision", "call")
    wanted = int(count(driver).split()[0].replace(",", ""))
    driver.execute_script(choose, "flag1", "")
    both_wrong = int(count(driver).split()[0].replace(",", ""))
    assert 0 < both_wrong < wanted < 5000
    driver.execute_script(choose, "text", "no such words")
    assert count(driver).startswith("0 of")
    driver.get(many.as_uri() + "?2#id=shop%2Fhome.1")
    assert count(driver) == "1 of 5,000 tasks"
    assert driver.execute_script("return document.querySelector('#rows details').open")
    wait_for(driver, "return document.querySelectorAll('.sides pre mark').length > 0")
    text = driver.execute_script("return document.querySelector('#rows').innerText")
    assert "query" in text
    assert "prompt, as the model saw it" in text
    driver.execute_script("document.querySelector('.body details').open = true")
    prompt = "return document.querySelector('pre.long')?.textContent.includes('add_to_cart')"
    wait_for(driver, prompt)


def wait_for(driver: Any, script: str) -> None:
    for _ in range(200):
        if driver.execute_script(script):
            return
        time.sleep(0.05)
    raise AssertionError(script)


def test_hostile_answers_stay_text(driver: Any, many: Path) -> None:
    driver.get_log("browser")
    driver.get(many.as_uri() + "?3#id=shop%2Fhome.30")
    wait_for(driver, "return document.querySelectorAll('.sides pre').length > 1")
    said = driver.execute_script("return document.querySelector('.sides pre').textContent")
    assert said.startswith("</script><script>document.title='owned'</script><img src=x")
    assert driver.title == "Answers"
    assert driver.execute_script("return document.images.length + document.scripts.length") == 2
    # Even a script that somebody smuggles in does not run: the policy knows one by its hash.
    driver.execute_script(SMUGGLE)
    time.sleep(0.2)
    assert driver.title == "Answers"


@pytest.fixture(scope="module")
def browsed(tmp_path_factory: pytest.TempPathFactory, base: Path, groups: list[Group]) -> Path:
    folder = tmp_path_factory.mktemp("browsed")
    jsonl.write(folder / "mixed.jsonl", groups)
    rejects = [Reject("g9", "near_duplicate", "of call.Oslo1", call("Oslo9"))]
    jsonl.write(folder / "rejects.jsonl", rejects)
    page = browse.build_page(folder, ChatTokenizer(base / "tokenizer.json"), 10, 0)
    row_page.write(folder / "browse.html", page)
    return folder / "browse.html"


def test_training_examples_have_their_trained_tokens_in_colour(driver: Any, browsed: Path) -> None:
    driver.get(browsed.as_uri())
    assert count(driver) == "11 of 11 rows"
    driver.execute_script("document.querySelectorAll('#rows details').forEach(d => d.open = true)")
    wait_for(driver, "return document.querySelectorAll('.trained').length > 0")
    marked = driver.execute_script(
        "return [...document.querySelectorAll('.name')].map(e => e.textContent)"
    )
    assert set(marked) == {"get_weather"}
    text = driver.execute_script("return document.querySelector('#rows').innerText")
    assert "near_duplicate of call.Oslo1" in text


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reported")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        report_data.write_version(report_data.SPECIALIST)
        return folder / report_data.run_report()


def test_every_page_fits_and_passes_wcag_in_both_schemes(
    driver: Any, axe_script: str, browsed: Path, reported: Path
) -> None:
    pages = {
        "report": reported / "index.html",
        "run": reported / "run.html",
        "answers": reported / "answers.html",
        "browse": browsed,
    }
    problems = []
    driver.set_script_timeout(110)  # a busy machine is no bug
    for width in WIDTHS:
        for scheme in ("light", "dark"):
            look(driver, width, scheme)
            for name, path in pages.items():
                driver.get(path.as_uri())
                driver.execute_script(OPEN_THREE)
                time.sleep(0.2)
                driver.execute_script(OPEN_PROMPTS)
                time.sleep(0.2)
                shoot(driver, f"{name}-{width}-{scheme}")
                found = axe.find_violations(driver, axe_script)
                wide = driver.execute_script(IS_WIDE)
                problems += [f"{name} {width} {scheme}: {one}" for one in found]
                problems += [f"{name} {width} {scheme}: wider than the window"] * wide
    assert problems == []


def test_no_leaderboard_is_wider_than_a_page_of_1280(driver: Any, reported: Path) -> None:
    look(driver, 1280)
    driver.get((reported / "index.html").as_uri())
    wide = driver.execute_script(
        "return [...document.querySelectorAll('.scroll[aria-label^=Leaderboard]')]"
        ".filter(e => e.scrollWidth > e.clientWidth).length"
    )
    assert wide == 0
    run = driver.execute_script("return document.querySelector('object').contentDocument !== null")
    assert run or driver.execute_script("return document.querySelector('object').clientHeight > 50")
