"""A real Chromium for tests of the pages, and somebody at its keyboard.

Without Debian's chromium and chromium-driver the tests are skipped; CI installs both.
SHOTS=folder keeps a screenshot of every page, to look at.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait
from werkzeug.serving import make_server

from benchmark.annotation.web.access import Access
from benchmark.annotation.web.pages import create_app
from benchmark.annotation.web.server import SilentRequestHandler
from tests.support.local_server import running_in_a_thread

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
NEEDS_BROWSER = [
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
    def focus(self) -> str:
        """The name of the field that has the focus."""
        return self.driver.switch_to.active_element.get_attribute("name") or ""

    def choose(self, field: str, option: str) -> None:
        """Choose an option of a select by typing it, and wait for the fields that it brings."""
        editor = self.driver.find_element(By.CSS_SELECTOR, "#editor > *")
        self.walk_to(field)
        self.press(option)
        self.until(lambda: self.driver.find_element(By.CSS_SELECTOR, "#editor > *") != editor)
        self.until(lambda: self.focus == field)

    @property
    def task(self) -> str:
        return self.text("#task")


@contextmanager
def start_browser(profile: Path) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in [*FLAGS, f"--user-data-dir={profile}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options=options, service=Service(DRIVER))
    look(started, 1280)
    try:
        yield started
    finally:
        started.quit()


def look(driver, width: int, scheme: str = "light") -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)


@contextmanager
def served(blueprint, title: str, access: Access | None = None, port: int = 0) -> Iterator[str]:
    app, token = create_app(blueprint, title, access)
    server = make_server(
        "127.0.0.1", port, app, threaded=True, request_handler=SilentRequestHandler
    )
    with running_in_a_thread(server):
        yield f"http://127.0.0.1:{server.port}/{token}/"


def shoot(driver, name: str) -> None:
    if folder := os.environ.get("SHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        driver.save_screenshot(f"{folder}/{name}.png")


CONTRAST = """
const rgb = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
  .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const behind = (e) => { for (; e; e = e.parentElement) {
  const c = rgb(getComputedStyle(e).backgroundColor);
  if (c.length === 3 || c[3] === 1) return c; }
  return [255, 255, 255]; };
const contrast = (one, other) => {
  const [a, b] = [light(one), light(other)].sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05); };
"""


def faint(driver) -> list[str]:
    """Texts whose contrast with what is behind them is below 4.5:1 (WCAG AA)."""
    return driver.execute_script(
        CONTRAST
        + """
return [...document.querySelectorAll("body *")].filter((e) => e.checkVisibility()
  && !e.closest(":disabled, kbd, .away, a.button:not([href])")
  && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
  .filter((e) => contrast(rgb(getComputedStyle(e).color), behind(e)) < 4.5)
  .map((e) => e.outerHTML.slice(0, 80));
"""
    )


def weak_edges(driver) -> list[str]:
    """Fields and buttons whose border stands out by less than 3:1 (WCAG 1.4.11)."""
    return driver.execute_script(
        CONTRAST
        + """
const boxes = "textarea, select, input:not([type=hidden], [type=checkbox]), button";
return [...document.querySelectorAll(boxes)]
  .filter((e) => e.checkVisibility() && !e.matches(":disabled, .plain, .minor, .away"))
  .filter((e) => contrast(rgb(getComputedStyle(e).borderTopColor), behind(e.parentElement)) < 3)
  .map((e) => e.outerHTML.slice(0, 80));
"""
    )


def nameless(driver) -> list[str]:
    """Fields and buttons that a screen reader could not name."""
    return driver.execute_script("""
const fields = "input:not([type=hidden]), textarea, select, button, summary, a";
return [...document.querySelectorAll(fields)].filter((e) => e.checkVisibility())
  .filter((e) => !(e.labels?.length) && !e.ariaLabel && !e.textContent.trim())
  .map((e) => e.outerHTML.slice(0, 80));
""")
