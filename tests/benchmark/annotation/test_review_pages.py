"""The pages without a browser: who may come in, what hostile text becomes, and what a form does."""

import re
import subprocess
import sys
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from agent_tuning.files import jsonl
from agent_tuning.records import Assistant, Call, ToolResult
from benchmark.annotation.review.verdicts import DoubleReview
from benchmark.annotation.web import pages, security
from benchmark.annotation.web.events import Event, Verdict, find_current
from benchmark.tasks.suites import Gold
from tests.support import annotation_data

HERE = "http://127.0.0.1:8000"
HOSTILE = {
    "script": "<script>alert(1)</script>",
    "attribute": '"><img src=x onerror=alert(1)>',
    "end of a box": "</textarea></pre><script>alert(1)</script>",
    "template": "{{ form_token }} {% include 'x' %}",
    "ansi": "\x1b[31mred\x1b[0m\x07",
    "right to left": "abc\u202egnp.exe\u2066",
    "nul": "a\x00b",
    "long": "word" * 25_000,
    "long zh": "北京" * 50_000,
}


class Client:
    """A browser that knows the URL and the form's token."""

    def __init__(self, blueprint, title="Review"):
        self.app, self.token = pages.create_app(blueprint, title)
        self.app.testing = True
        self.web = self.app.test_client()
        self.form_token = self.app.jinja_env.globals["form_token"]

    def get(self, path, **more):
        return self.web.get(f"/{self.token}/{path}", base_url=HERE, **more)

    def post(self, path, data=(), **more):
        form = {"form_token": self.form_token, **dict(data)}
        return self.web.post(f"/{self.token}/{path}", base_url=HERE, data=form, **more)

    def give(self, queue, who, name, **data):
        place = queue.places[f"house/{name}"]
        shown = queue.shown[f"house/{name}"]
        return self.post(f"{who}/{place}", {"shown": shown, **data})


@pytest.fixture
def opened(tmp_path):
    blueprint, queue = annotation_data.open_review(tmp_path, annotation_data.suite())
    return Client(blueprint), queue


def current_opinions(queue):
    return {
        (subject, who): event.after
        for subject, by_person in find_current(queue.journal.events()).items()
        for who, event in by_person.items()
    }


@pytest.mark.parametrize("path", ["/", "/ann/1", "/x/ann/1", "/static/style.css", "/favicon.ico"])
def test_without_the_token_there_is_nothing(opened, path):
    client, _ = opened
    assert client.web.get(path, base_url=HERE).status_code == 404


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1:9", "127.0.0.1", "127.0.0.1.nip.io:8000"]
)
def test_another_host_is_turned_away(opened, host):
    client, _ = opened
    assert client.get("ann/1", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000"])
def test_our_own_host_is_let_in(opened, host):
    client, _ = opened
    assert client.get("ann/1", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("token", "headers"),
    [
        ("", {}),
        ("wrong", {}),
        (None, {"Origin": "http://evil.example"}),
        (None, {"Origin": "null"}),
    ],
    ids=["no token", "wrong token", "another site", "sandboxed site"],
)
@pytest.mark.parametrize("path", ["ann/1", "ann/undo", "ann/1/check", "ann/1/editor"])
def test_a_form_of_another_site_does_nothing(opened, token, headers, path):
    client, queue = opened
    form = {"action": "approve", "shown": queue.shown[queue.order[0][0].id]}
    form |= {} if token is None else {"form_token": token}
    assert client.post(path, form, headers=headers).status_code == 403
    assert queue.journal.events() == []


def test_every_answer_forbids_what_is_not_ours(opened):
    client, _ = opened
    for path in ("", "ann/1", "ann/all", "static/keys.js", "nowhere/at/all"):
        with client.get(path) as answer:
            headers = answer.headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"


def test_a_page_loads_nothing_from_elsewhere(opened):
    client, _ = opened
    folder = Path("benchmark/annotation/web")
    texts = [path.read_text() for path in [*folder.glob("static/*"), *folder.glob("templates/*")]]
    for text in [*texts, client.get("ann/1").text]:
        assert not re.search(r"https?://|//[a-z]+\.|@import|url\((?!_)", text)
        assert not re.search(r"<script(?! src)|<style| style=| on[a-z]+=", text)


@pytest.mark.parametrize("who", ["<b>", "a/b", " ", "x" * 40, "..", "a\nb"])
def test_a_name_is_a_name(opened, who):
    client, _ = opened
    response = client.get("", query_string={"who": who})
    assert response.status_code == 200
    assert "<b>" not in response.text
    assert client.get(f"{urllib.parse.quote(who, safe='')}/1").status_code == 404


@pytest.mark.parametrize("who", ["ann", "Ann B.", "王芳"])
def test_people_have_names_of_all_languages(opened, who):
    client, _ = opened
    assert client.get("", query_string={"who": who}, follow_redirects=True).status_code == 200


def hostile(text):
    """A task with the text wherever a model or a teacher may have written."""
    one_line = text.replace("\n", " ")
    call = Call("plan_trip", {"city": text})
    turns = (
        *annotation_data.task("x", text).turns,
        Assistant("call", one_line.strip(), (call,)),
        ToolResult("plan_trip", {text: [text]}),
    )
    task = annotation_data.task("Oslo", text, Gold("no_call", one_line))
    return msgspec.structs.replace(task, turns=turns)


class Elements(HTMLParser):
    """What a browser makes of a page: elements, attributes and text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_shown_as_text(tmp_path, text):
    blueprint, _ = annotation_data.open_review(tmp_path, annotation_data.suite([hostile(text)]))
    client = Client(blueprint)
    for path in ("ann/1", "ann/all"):
        answer = client.get(path)
        page = Elements(answer.text)
        assert answer.status_code == 200
        assert security.make_visible(text) in page.text
        scripts = [given for tag, given in page.tags if tag == "script"]
        assert all(given["src"].endswith(("keys.js", "review.js")) for given in scripts)
        assert not {tag for tag, _ in page.tags} & {"img", "iframe", "object", "style"}
        assert not [name for _, given in page.tags for name in given if name.startswith("on")]


def test_what_cannot_be_seen_is_made_visible():
    assert security.make_visible("\x1b[31m") == "⟨U+001B⟩[31m"
    assert security.make_visible("a\u202eb\u200f") == "a⟨U+202E⟩b⟨U+200F⟩"
    assert security.make_visible("one\n\ttwo 北京\u00a0é 😀") == "one\n\ttwo 北京 é 😀"


def test_a_request_that_is_too_large_is_refused(opened):
    client, _ = opened
    assert (
        client.post("ann/1/check", {"0.thought": "x" * security.MAX_REQUEST_BYTES}).status_code
        == 413
    )


def test_a_hundred_kilobytes_can_be_corrected(opened):
    client, queue = opened
    form = {"action": "correct", "0.decision": "ask", "0.thought": "北" * 40_000}
    assert client.give(queue, "ann", "Oslo", **form).status_code == 303
    (verdict,) = current_opinions(queue).values()
    assert verdict.golds == (Gold("ask", "北" * 40_000),)


def test_a_saved_verdict_leads_on_to_the_next_open_task(opened):
    client, queue = opened
    response = client.give(
        queue, "ann", queue.order[0][0].id.removeprefix("house/"), action="approve"
    )
    assert re.search(r"/ann/2\?did=approve&at=1$", response.location)


def test_saving_the_draft_unchanged_approves_it(opened):
    client, queue = opened
    form = {"0.decision": "call", "0.thought": "Plan three days in Oslo.", "0.0.tool": "plan_trip"}
    form |= {"0.0.city": "Oslo", "0.0.days": "3"}
    client.give(queue, "ann", "Oslo", action="correct", **form)
    assert current_opinions(queue) == {("house/Oslo", "ann"): Verdict("approve")}


FORM = {"0.decision": "call", "0.thought": "Plan three days in Oslo.", "0.0.tool": "plan_trip"}
FORM |= {"0.0.city": "Oslo", "0.0.days": "3"}


def test_the_users_words_can_be_corrected_and_the_arguments_are_held_against_them(opened):
    client, queue = opened
    place = queue.places["house/Oslo"]
    checked = client.post(f"ann/{place}/check", FORM | {"query": "Plan 3 days in Rome\x1b"}).json
    assert checked["notes"] == {"0.0.city": "nobody said this in the dialogue"}
    assert checked["changes"][1] == ["+", "user: Plan 3 days in Rome⟨U+001B⟩"]
    form = FORM | {"action": "correct", "query": " Plan 3 days\r\nin Oslo "}
    assert client.give(queue, "ann", "Oslo", **form).status_code == 303
    (verdict,) = current_opinions(queue).values()
    assert verdict == Verdict("correct", queue.suite.tasks[0].golds, query="Plan 3 days\nin Oslo")
    assert "Plan 3 days\nin Oslo</textarea>" in client.get(f"ann/{place}").text


def test_words_that_nobody_touched_are_no_correction(tmp_path):
    """A browser takes the carriage return, the NUL and the outer blanks for its own."""
    raw = " one\r\ntwo\0 \n"
    blueprint, queue = annotation_data.open_review(
        tmp_path, annotation_data.suite([annotation_data.task("Oslo", raw)])
    )
    client = Client(blueprint)
    client.give(queue, "ann", "Oslo", **FORM, action="correct", query="one\r\ntwo\ufffd")
    assert current_opinions(queue) == {("house/Oslo", "ann"): Verdict("approve")}


def test_a_reply_is_kept_where_no_tool_is_called_and_only_there(opened):
    client, queue = opened
    ask = {"action": "correct", "0.decision": "ask", "0.thought": "Ask.", "reply": "How long?"}
    client.give(queue, "ann", "Oslo", **ask)
    client.give(queue, "ann", "Rome", **FORM, action="correct", reply="How long?")
    replies = {subject: verdict.reply for (subject, _), verdict in current_opinions(queue).items()}
    assert replies == {"house/Oslo": "How long?", "house/Rome": ""}


def test_a_wrong_correction_is_not_saved_and_not_lost(opened):
    client, queue = opened
    form = {"0.decision": "call", "0.thought": "Go.", "0.0.tool": "plan_trip", "0.0.days": "lots"}
    response = client.give(queue, "ann", "Oslo", action="correct", **form)
    assert response.status_code == 422
    assert "lots</textarea>" in response.text
    assert "expected JSON of type integer" in response.text
    assert queue.journal.events() == []


@pytest.mark.parametrize(
    ("form", "status"),
    [({"action": "burn"}, 400), ({"action": "reject"}, 400), ({"reason": "boring"}, 400),
     ({"action": "approve", "shown": "older"}, 409)],
    ids=["no action", "no reason", "no such reason", "an older page"],
)  # fmt: skip
def test_a_form_that_makes_no_sense_is_refused(opened, form, status):
    client, queue = opened
    assert client.give(queue, "ann", "Oslo", **form).status_code == status
    assert queue.journal.events() == []


def test_nobody_sees_what_others_said_before_saying_it_oneself(tmp_path):
    twice = annotation_data.queue.ReviewConfig(
        0, DoubleReview(0, 1.0), annotation_data.REVIEW_CONFIG.ties, 300.0
    )
    blueprint, queue = annotation_data.open_review(tmp_path, annotation_data.suite(), twice)
    client = Client(blueprint)
    client.give(queue, "ann", "Oslo", reason="ambiguous", comment="two fit")
    place = queue.places["house/Oslo"]
    assert "two fit" not in client.get(f"ben/{place}").text
    client.give(queue, "ben", "Oslo", action="approve")
    page = client.get(f"ben/{place}").text
    assert "two fit" in page
    assert "You do not agree yet" in page


def test_two_people_are_not_handed_the_same_task(opened):
    client, _ = opened
    first = client.get("ann/").location
    client.get("ann/1")
    assert client.get("ben/").location != first.replace("ann", "ben")


def test_two_people_at_once_lose_nothing(opened):
    client, queue = opened
    names = [task.id.removeprefix("house/") for task, _ in queue.order]

    def work(who):
        return [client.give(queue, who, name, action="approve").status_code for name in names]

    with ThreadPoolExecutor(2) as pool:
        assert {code for codes in pool.map(work, ["ann", "ben"]) for code in codes} == {303}
    assert len(current_opinions(queue)) == 2 * len(names)


def test_the_lowest_judgements_come_first(tmp_path):
    blueprint, queue = annotation_data.open_review(
        tmp_path, annotation_data.suite(), Riga=1, Nice=3
    )
    assert [task.id for task, _ in queue.order[:2]] == ["house/Riga", "house/Nice"]
    assert "judge: 1 of 5" in Client(blueprint).get("ann/1").text


def test_a_rating_page_does_not_say_whose_answer_it_is(tmp_path):
    texts = {"swiftmodel": "Sure. {}", "slowmodel": "No. {}"}
    blueprint, sheet = annotation_data.open_rating(tmp_path, annotation_data.suite(), texts)
    client = Client(blueprint, "Rate")
    for place in range(1, len(sheet.answers) + 1):
        assert not re.search("swift|slow", client.get(f"ann/{place}").text)
    assert "swiftmodel" not in client.get("ann/agreement").text


@pytest.mark.parametrize("score", ["6", "-1", "", "five", "55"])
def test_a_rating_is_a_number_of_the_bands(tmp_path, score):
    blueprint, sheet = annotation_data.open_rating(
        tmp_path, annotation_data.suite(), {"base": "{}"}
    )
    assert Client(blueprint, "Rate").post("ann/1", {"score": score}).status_code == 400
    assert sheet.journal.events() == []


@pytest.mark.slow
def test_a_killed_server_has_saved_what_it_answered(tmp_path):
    annotation_data.write_suite(tmp_path / "candidates")
    database = tmp_path / "review.db"
    command = [sys.executable, "-m", "benchmark.annotation.review.serve"]
    with subprocess.Popen(
        [*command, str(tmp_path / "candidates"), str(database)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        url = process.stdout.readline().split()[1]
        for place in range(1, 6):
            page = urllib.request.urlopen(f"{url}ann/{place}", timeout=60).read().decode()
            hidden = dict(re.findall(r'name="(form_token|shown)" value="([^"]+)"', page))
            form = urllib.parse.urlencode({**hidden, "action": "approve"}).encode()
            urllib.request.urlopen(f"{url}ann/{place}", form, timeout=60).read()
        process.kill()
    events = list(jsonl.read(tmp_path / "candidates/reviews.jsonl", Event))
    assert sorted(event.number for event in events) == [1, 2, 3, 4, 5]
