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
from agent_tuning.records import Assistant, BadInput, Call, ToolResult
from benchmark.annotation.web import access, pages, security
from benchmark.annotation.web.events import Event, Verdict, find_current
from benchmark.tasks.suites import Gold
from tests.support import annotation_data, small_disk

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

    def __init__(self, blueprint, title="Review", access=None):
        self.app, self.token = pages.create_app(blueprint, title, access)
        self.app.testing = True
        self.web = self.app.test_client()
        self.form_token = self.app.jinja_env.globals["form_token"]

    def get(self, path, **more):
        return self.web.get(f"/{self.token}/{path}", base_url=HERE, **more)

    def post(self, path, data=(), **more):
        form = {"form_token": self.form_token, **dict(data)}
        return self.web.post(f"/{self.token}/{path}", base_url=HERE, data=form, **more)

    def give(self, queue, who, name, **data):
        """What a page of the task sends, with these fields in place of its own."""
        place = queue.places[f"house/{name}"]
        return self.post(f"{who}/{place}", Fields(self.get(f"{who}/{place}").text).sent | data)


class Fields(HTMLParser):
    """The fields of the form of a verdict as a browser sends them, if nobody touches them."""

    def __init__(self, page):
        super().__init__()
        self.sent, self.area, self.select = {}, "", ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        name = given.get("name", "")
        if tag == "textarea":
            self.area, self.sent[name] = name, ""
        elif tag == "select":
            self.select = name
        elif tag == "option" and (self.select not in self.sent or "selected" in given):
            self.sent[self.select] = given["value"]
        elif tag == "input" and "form" not in given and name not in ("from", "number", "flagged"):
            is_sent = given.get("type") != "checkbox" or "checked" in given
            self.sent |= {name: given.get("value", "")} if is_sent else {}

    def handle_endtag(self, tag):
        self.area = "" if tag == "textarea" else self.area

    def handle_data(self, data):
        if self.area:
            self.sent[self.area] += data.removeprefix("\n")


@pytest.fixture
def opened(tmp_path):
    blueprint, queue = annotation_data.open_review(tmp_path, annotation_data.suite())
    return Client(blueprint), queue


def current_opinions(queue):
    return {
        (subject, who): event.after
        for subject, by_person in find_current(queue.journal.events(), Verdict).items()
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
    script = f"static/{pages.STATIC_VERSION}/keys.js"
    for path in ("", "ann/1", "ann/all", script, "static/keys.js", "nowhere/at/all"):
        with client.get(path) as answer:
            headers = answer.headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        kept = pages.KEPT_BY_BROWSERS if path == script else "no-store"
        assert headers["Cache-Control"] == kept


def test_a_page_loads_nothing_from_elsewhere(opened):
    client, _ = opened
    folder = Path("benchmark/annotation/web")
    texts = [path.read_text() for path in [*folder.glob("static/*"), *folder.glob("templates/*")]]
    for text in [*texts, client.get("ann/1").text]:
        assert not re.search(r"https?://|//[a-z]+\.|@import|url\((?!_)", text)
        ours = text.replace(f"<script>{security.WHOLE}</script>", "")
        ours = ours.replace("<script>{{ whole_script }}</script>", "")
        assert not re.search(r"<script(?! src)|<style| style=| on[a-z]+=", ours)


@pytest.mark.parametrize("of", ["review", "rating"])
def test_a_desk_starts_without_the_libraries_of_models(of):
    ours = f"import sys, benchmark.annotation.{of}.serve; "
    heavy = "print(*{'torch', 'transformers', 'openai'} & sys.modules.keys())"
    ran = subprocess.run([sys.executable, "-c", ours + heavy], capture_output=True, text=True)
    assert (ran.stdout, ran.returncode) == ("\n", 0)


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
    return msgspec.structs.replace(task, turns=turns, kind=text)


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
    query = urllib.parse.urlencode({"did": "approve", "at": text[:99]})
    pages = ((f"ann/1?{query}", {"", "page.js", "review.js"}), ("ann/all", {"", "page.js"}))
    for path, names in pages:
        answer = client.get(path)
        page = Elements(answer.text)
        assert answer.status_code == 200
        assert security.make_visible(text) in page.text
        boxes = re.compile(r"<textarea.*?</textarea>", re.DOTALL)  # what is edited stays as it is
        shown = Elements(boxes.sub("", answer.text)).text
        assert security.make_visible(shown) == shown
        scripts = [given for tag, given in page.tags if tag == "script"]
        assert {given.get("src", "").rpartition("/")[2] for given in scripts} == names
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
    assert checked["notes"] == {"0.0.city": "not said in these words: is it right?"}
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
    blueprint, queue = annotation_data.open_review(
        tmp_path, annotation_data.suite(), annotation_data.TWICE
    )
    client = Client(blueprint)
    client.give(queue, "ann", "Oslo", reason="ambiguous", comment="two fit")
    place = queue.places["house/Oslo"]
    assert "two fit" not in client.get(f"ben/{place}").text
    client.give(queue, "ben", "Oslo", action="approve")
    page = client.get(f"ben/{place}").text
    assert "two fit" in page
    assert "You do not agree yet" in page


def test_approving_a_page_that_shows_a_correction_keeps_the_correction(opened):
    client, queue = opened
    client.give(queue, "ann", "Oslo", action="correct", **{"0.0.days": "4"})
    (correction,) = current_opinions(queue).values()
    saved = len(queue.journal.events())
    response = client.give(queue, "ann", "Oslo", action="approve")
    assert "did=keep" in response.location
    assert (list(current_opinions(queue).values()), len(queue.journal.events())) == (
        [correction],
        saved,
    )
    place = queue.places["house/Oslo"]
    draft = Fields(client.get(f"ann/{place}?draft=1").text).sent
    client.post(f"ann/{place}", draft | {"action": "approve"})
    assert list(current_opinions(queue).values()) == [Verdict("approve")]


@pytest.mark.parametrize(
    "typed", [{"0.0.days": "4"}, {"query": "Oslo!"}, {"0.thought": "Go."}, {"0.0.days": ""}]
)
def test_what_was_typed_is_never_approved_as_the_draft(opened, typed):
    client, queue = opened
    response = client.give(queue, "ann", "Oslo", action="approve", **typed)
    assert response.status_code == 422
    assert "save it as a correction" in response.text
    assert queue.journal.events() == []


def test_a_verdict_given_in_another_window_is_not_replaced(opened):
    client, queue = opened
    place = queue.places["house/Oslo"]
    older = Fields(client.get(f"ann/{place}").text).sent | {"action": "approve"}
    client.give(queue, "ann", "Oslo", action="correct", **{"0.0.days": "4"})
    assert client.post(f"ann/{place}", older).status_code == 409
    assert len(queue.journal.events()) == 1


def test_an_undo_approves_no_words_that_the_person_did_not_see(tmp_path):
    def open_with(query):
        of = annotation_data.suite([annotation_data.task("Oslo", query)])
        blueprint, queue = annotation_data.open_review(tmp_path, of)
        return Client(blueprint), queue

    before, queue = open_with("")
    before.give(queue, "ann", "Oslo", action="approve")
    after, queue = open_with("A week in Oslo, please.")
    after.give(queue, "ann", "Oslo", reason="unclear")
    after.post("ann/undo")
    assert current_opinions(queue) == {("house/Oslo", "ann"): Verdict("approve")}
    assert [card.status for card in queue.cards("ann")] == ["todo"]


@pytest.mark.parametrize("action", [{"action": "approve"}, {"reason": "unclear"}])
def test_a_form_whose_answer_got_lost_can_be_sent_again(opened, action):
    client, queue = opened
    place = queue.places["house/Oslo"]
    form = Fields(client.get(f"ann/{place}").text).sent | action
    assert [client.post(f"ann/{place}", form).status_code for _ in range(2)] == [303, 303]
    assert len(queue.journal.events()) == 1


def test_a_team_has_personal_addresses_that_last_and_open_no_other_name(tmp_path):
    blueprint, queue = annotation_data.open_review(tmp_path, annotation_data.suite())
    team = access.Access(("Ann", "王芳"), secret="a secret of the team")
    app, common = pages.create_app(blueprint, "Review", team)
    web = app.test_client()
    assert common == ""
    ann, wang = (team.links[name] for name in ("Ann", "王芳"))
    assert team.links == access.Access(("Ann", "王芳"), secret="a secret of the team").links
    assert ann != access.Access(("Ann", "王芳"), secret="another secret").links["Ann"]
    assert web.get(ann, base_url=HERE).location == f"{ann}Ann/"
    assert web.get(f"{ann}ann/1", base_url=HERE).status_code == 200  # capitals make no stranger
    assert web.get(f"{wang}Ann/1", base_url=HERE).status_code == 404
    assert web.get(f"/{'0' * 32}/", base_url=HERE).status_code == 404
    form = Fields(web.get(f"{ann}ann/1", base_url=HERE).text).sent | {"action": "approve"}
    web.post(f"{ann}ann/1", base_url=HERE, data=form)
    assert [event.who for event in queue.journal.events()] == ["Ann"]


def test_a_task_is_held_for_whoever_has_it_on_the_screen_and_no_longer(opened):
    client, _ = opened

    def start(who):
        return client.get(f"{who}/").headers["Location"].rpartition("/")[2]

    for place in (1, 2, 3):  # walks through the tasks, and decides nothing
        client.get(f"ann/{place}")
    assert [start(who) for who in ("ann", "ben")] == ["1", "1"]
    client.get("ben/1")
    assert start("ann") == "2"
    client.get("ann/2")
    assert start("cem") == "3"


def test_whoever_settles_conflicts_goes_from_one_to_the_next_and_then_back_to_the_tasks(tmp_path):
    of = annotation_data.suite()
    blueprint, queue = annotation_data.open_review(tmp_path, of, annotation_data.TWICE)
    client, disputed = Client(blueprint), [queue.order[place][0] for place in (3, 7)]
    for task in disputed:
        changed = annotation_data.correction(task, days=(4,))
        for who, verdict in (("ann", changed), ("ben", Verdict("approve"))):
            queue.journal.record(who, task.id, verdict, queue.shown[task.id])
    assert client.get("ann/").headers["Location"].endswith("/ann/1")
    # All conflicts are counted, so the link leads to all, whatever the filter was.
    assert '/ann/all?show=conflict"' in client.get("ann/1?kind=call&words=Oslo").text
    assert client.get("ann/?show=conflict").headers["Location"].endswith("/ann/4?show=conflict")
    for after, then in ((4, "/ann/8?at=4&did=take&show=conflict"), (8, "/ann/9?at=8&did=take")):
        form = Fields(client.get(f"ann/{after}").text).sent
        taken = {"from": "ben", "number": str(disputed.index(queue.order[after - 1][0]) + 1)}
        answer = client.post(f"ann/{after}/take?show=conflict", form | taken)
        query = urllib.parse.urlsplit(answer.headers["Location"])
        sorted_query = "&".join(sorted(query.query.split("&")))
        assert f"{query.path}?{sorted_query}".endswith(then)


def test_without_a_list_two_spellings_of_a_name_are_one_person(tmp_path):
    blueprint, queue = annotation_data.open_review(tmp_path, annotation_data.suite())
    client = Client(blueprint, access=access.Access(list_known=queue.journal.people))
    client.give(queue, "Ann", "Oslo", action="approve")
    client.give(queue, "ANN ", "Rome", action="approve")
    assert {event.who for event in queue.journal.events()} == {"Ann"}


def test_a_name_that_has_worked_before_stays_as_it_was_when_a_list_comes(tmp_path):
    blueprint, queue = annotation_data.open_review(tmp_path, annotation_data.suite())
    Client(blueprint).give(queue, "ann", "Oslo", action="approve")
    blueprint, queue = annotation_data.open_review(tmp_path, annotation_data.suite())
    team = access.Access(["Ann"], secret="a secret of the team", list_known=queue.journal.people)
    web, place = pages.create_app(blueprint, "Review", team)[0].test_client(), team.links["Ann"]
    rome = f"{place}Ann/{queue.places['house/Rome']}"
    form = Fields(web.get(rome, base_url=HERE).text).sent | {"action": "approve"}
    assert web.post(rome, base_url=HERE, data=form).status_code == 303
    assert {event.who for event in queue.journal.events()} == {"ann"}
    assert team.enter(place.strip("/"), "Ben") is None


def test_an_address_of_the_list_is_let_in_and_others_are_told_what_to_add(opened, tmp_path):
    blueprint, _ = annotation_data.open_review(tmp_path, annotation_data.suite())
    tunnel = Client(blueprint, access=access.Access(hosts=["localhost:9000"]))
    for name in ("localhost", "127.0.0.1"):  # the links that are printed have the number
        assert tunnel.get("ann/1", headers={"Host": f"{name}:9000"}).status_code == 200
    turned_away = opened[0].get("ann/1", headers={"Host": "localhost:9000"})
    assert turned_away.status_code == 421
    assert "Add localhost:9000 to desk.hosts" in turned_away.text


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({"names": ["Ann", "ann"], "hosts": []}, "'ann' is there twice"),
        ({"names": ["a/b"], "hosts": []}, "'a/b' is no name"),
    ],
)
def test_a_list_of_names_that_cannot_work_is_refused(section, problem):
    with pytest.raises(msgspec.ValidationError, match=problem):
        msgspec.convert(section, access.DeskConfig)


def test_a_team_without_a_secret_or_a_fixed_port_is_told_what_to_set(monkeypatch):
    team = access.DeskConfig(("Ann",), ())
    monkeypatch.delenv("DESK_SECRET", raising=False)
    with pytest.raises(BadInput, match="DESK_SECRET: expected 16 characters or more"):
        access.build_access(team, 8021, list)
    monkeypatch.setenv("DESK_SECRET", "x" * 16)
    with pytest.raises(BadInput, match="port: a team"):
        access.build_access(team, 0, list)
    assert access.build_access(team, 8021, list).links.keys() == {"Ann"}


def test_the_values_of_an_enum_are_boxes_to_tick(opened):
    client, queue = opened
    page = client.get(f"ann/{queue.places['house/Oslo']}").text
    assert re.search(r'type="checkbox" name="0.0.season" value="summer"', page)
    client.give(queue, "ann", "Oslo", action="correct", **{"0.0.season": ["summer", "winter"]})
    (verdict,) = current_opinions(queue).values()
    assert verdict.golds[0].calls[0].arguments["season"] == ("summer", "winter")


def test_a_decision_that_has_descriptions_needs_one(opened):
    client, queue = opened
    response = client.give(queue, "ann", "Oslo", action="correct", **{"0.thought": ""})
    assert response.status_code == 422
    assert "say what the model should do" in response.text


def test_another_decision_empties_the_description_and_going_back_restores_it(opened):
    client, queue = opened
    place = queue.places["house/Oslo"]
    form = Fields(client.get(f"ann/{place}").text).sent
    asking = client.post(f"ann/{place}/editor", form | {"0.decision": "ask"}).text
    fields = Fields(asking).sent
    assert (fields["0.thought"], fields["0.was"]) == ("", "ask")
    assert "Of the other decision: <bdi>Plan three days in Oslo.</bdi>" in asking
    back = client.post(f"ann/{place}/editor", form | fields | {"0.decision": "call"}).text
    assert Fields(back).sent["0.thought"] == "Plan three days in Oslo."


def test_a_lone_reviewer_ends_with_what_others_have_to_do_and_no_way_in_circles(tmp_path):
    names = [annotation_data.task(name) for name in ("Oslo", "Rome")]
    blueprint, queue = annotation_data.open_review(
        tmp_path, annotation_data.suite(names), annotation_data.TWICE
    )
    client = Client(blueprint)
    client.give(queue, "ann", "Oslo", action="approve")
    assert client.give(queue, "ann", "Rome", action="approve").location.endswith("at=2")
    page = client.get("ann/all").text
    assert "2 of 2" in page
    assert "You have reviewed all that you can" in page
    assert "2 tasks need a second person" in page
    assert "Go on" not in page
    client.give(queue, "ben", "Oslo", action="approve")
    assert "1 of 2" in client.get("ben/all").text
    client.give(queue, "ben", "Rome", reason="unclear")
    assert client.get("ben/").location.endswith(f"/ben/{queue.places['house/Rome']}")
    assert "Conflicts: 1" in client.get("ann/1").text


def test_taking_theirs_repeats_the_verdict_that_was_seen_and_no_newer_one(tmp_path):
    blueprint, queue = annotation_data.open_review(
        tmp_path, annotation_data.suite(), annotation_data.TWICE
    )
    client, place = Client(blueprint), queue.places["house/Oslo"]
    client.give(queue, "ann", "Oslo", action="correct", **{"0.0.days": "4"})
    client.give(queue, "ben", "Oslo", reason="unclear")
    page = client.get(f"ben/{place}").text
    assert "days: 4" in page
    taken = Fields(page).sent | {"from": "ann", "number": "1"}
    client.give(queue, "ann", "Oslo", action="correct", **{"0.0.days": "5"})
    assert client.post(f"ben/{place}/take", taken).status_code == 409
    assert client.post(f"ben/{place}/take", taken | {"number": "2"}).status_code == 303
    opinions = current_opinions(queue)
    ann, ben = opinions["house/Oslo", "ann"], opinions["house/Oslo", "ben"]
    assert (ben.golds, ben.taken_from) == (ann.golds, "ann")


def test_tasks_are_found_by_words_kind_language_and_status_and_the_filter_stays(opened):
    client, queue = opened
    client.give(queue, "ann", "Oslo", action="approve")

    def found(address):
        return re.findall(r"house/(\w+)</bdi> ·", client.get(address).text)

    assert found("ann/all?words=three+LIMA") == ["Lima"]
    assert found("ann/all?kind=chain") == found("ann/all?language=zh") == []
    assert found("ann/all?show=mine") == found("ann/all?show=ready") == ["Oslo"]
    assert len(found("ann/all?kind=call&language=en")) == 11
    assert "house/Lima" in client.get(client.get("ann/?words=lima").location.split("/", 2)[2]).text
    assert "words=lima" in client.get("ann/all?words=lima").text.split('class="list"')[1]


def test_a_task_can_be_skipped_and_flagged_with_a_note_that_the_others_see_later(opened):
    client, queue = opened
    assert client.get("ann/?after=1").location.endswith("/2")
    place = queue.places["house/Oslo"]
    client.post(f"ann/{place}/flag", {"flagged": "1", "note": "is Oslo meant?"})
    page = client.get(f"ben/{place}").text
    assert "flagged by ann" in page
    assert "is Oslo meant?" not in page  # ben has not reviewed it yet
    client.give(queue, "ben", "Oslo", action="approve")
    assert "is Oslo meant?" in client.get(f"ben/{place}").text
    assert "house/Oslo" in client.get("ben/all?show=flagged").text
    client.post(f"ann/{place}/flag", {})
    assert "flagged by" not in client.get(f"ben/{place}").text


@small_disk.NEEDS_ROOT
def test_a_full_disk_is_a_line_that_says_so(opened, tmp_path):
    client, queue = opened
    with small_disk.mounted(tmp_path / "full", kilobytes=100) as folder:
        small_disk.fill(folder)
        queue.journal.log = folder / "reviews.jsonl"
        response = client.give(queue, "ann", "Oslo", action="approve")
    assert response.status_code == 507
    assert "the disk is full" in response.text
    assert 'class="bar"' in response.text  # a page like the others, with a way back


def test_what_goes_wrong_is_a_page_with_a_way_back(opened):
    client, _ = opened
    page = client.get("ann/99").text
    assert "There is no such page." in page
    assert "To the next item" in page


def test_a_page_that_sends_its_own_form_is_told_where_to_go_or_what_is_wrong(opened):
    client, queue = opened
    place, as_json = queue.places["house/Oslo"], {"Accept": "application/json"}
    form = Fields(client.get(f"ann/{place}").text).sent
    wrong = client.post(
        f"ann/{place}", form | {"action": "correct", "0.0.days": "many"}, headers=as_json
    )
    assert (wrong.status_code, wrong.json["problems"].keys()) == (422, {"0.0.days"})
    assert wrong.json["error"].startswith("Not saved: expected JSON of type integer")
    saved = client.post(f"ann/{place}", form | {"action": "approve"}, headers=as_json)
    assert saved.json["to"].endswith("did=approve&at=" + str(place))


def test_chinese_words_are_marked_as_chinese_and_the_pages_speak_it(tmp_path):
    prompt = msgspec.structs.replace(annotation_data.PROMPT, language="zh")
    of = annotation_data.suite([annotation_data.task("Oslo", "三天奥斯陆")])
    of.prompts[prompt.id] = prompt
    client = Client(annotation_data.open_review(tmp_path, of)[0])
    page = client.get("ann/1").text
    assert '<html lang="en">' in page
    assert re.search(r'class="text" lang="zh"', page)
    assert re.search(r'id="query"[^>]* lang="zh"', page)
    chinese = client.get("ann/1?ui=zh").text
    assert '<html lang="zh">' in chinese
    assert "通过" in chinese
    assert "通过" in client.get("ann/1").text  # the cookie remembers it


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
        page = client.get(f"ann/{place}").text
        assert not re.search("swift|slow", page)
        # Whether it can be parsed would tell a base model from a tuned one: only on demand.
        unfolded = re.sub(r"(?s)<(details|aside)\b.*?</\1>", "", page)
        assert not re.search("malformed|no_call", unfolded)
    assert "swiftmodel" not in client.get("ann/agreement").text


@pytest.mark.parametrize("score", ["6", "-1", "", "five", "55"])
def test_a_rating_is_a_number_of_the_bands(tmp_path, score):
    blueprint, sheet = annotation_data.open_rating(
        tmp_path, annotation_data.suite(), {"base": "{}"}
    )
    assert Client(blueprint, "Rate").post("ann/1", {"score": score}).status_code == 400
    assert sheet.journal.events() == []


def test_a_rating_is_of_the_answer_that_was_shown_also_after_a_start_with_other_versions(tmp_path):
    of = annotation_data.suite()
    first = Client(annotation_data.open_rating(tmp_path, of, {"base": "No. {}"})[0], "Rate")
    form = Fields(first.get("ann/1").text).sent | {"score": "5"}
    blueprint, sheet = annotation_data.open_rating(tmp_path, of, {"tuned": "Sure. {}"})
    second = Client(blueprint, "Rate")
    form["form_token"] = second.form_token
    refused = second.post("ann/1", form, headers={"Accept": "application/json"})
    assert (refused.status_code, sheet.journal.events()) == (409, [])
    assert refused.json["error"].endswith("Another answer stands here now. Load the page again.")
    assert second.post("ann/99", form).status_code == 409
    assert first.post("ann/1", form | {"form_token": first.form_token}).status_code == 303


@pytest.mark.slow
def test_a_killed_server_has_saved_what_it_answered(tmp_path):
    annotation_data.write_suite(tmp_path / "candidates")
    database, log = tmp_path / "review.db", tmp_path / "candidates/reviews.jsonl"
    command = [sys.executable, "-m", "benchmark.annotation.review.serve"]
    with subprocess.Popen(
        [*command, str(tmp_path / "candidates"), str(log), str(database)],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        url = process.stdout.readline().split()[1]
        for place in range(1, 6):
            page = urllib.request.urlopen(f"{url}ann/{place}", timeout=60).read().decode()
            form = urllib.parse.urlencode(Fields(page).sent | {"action": "approve"}).encode()
            urllib.request.urlopen(f"{url}ann/{place}", form, timeout=60).read()
        process.kill()
    events = list(jsonl.read(log, Event))
    assert sorted(event.number for event in events) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "schema", [True, {"anyOf": [{"type": "integer"}, {"type": "null"}]}, {"items": True}]
)
def test_a_page_shows_a_parameter_of_any_schema(schema, tmp_path, monkeypatch):
    city = annotation_data.WEATHER.parameters["properties"] | {"anything": schema}
    parameters = annotation_data.WEATHER.parameters | {"properties": city}
    tool = msgspec.structs.replace(annotation_data.WEATHER, parameters=parameters)
    monkeypatch.setattr(annotation_data, "TOOLS", (tool, *annotation_data.TOOLS[1:]))
    blueprint, _ = annotation_data.open_review(tmp_path, annotation_data.suite())
    page = Client(blueprint).get("ann/1")
    assert page.status_code == 200
    assert "anything" in page.text
