"""Template search: a template is checked, graded, and kept only if it is better."""

import msgspec
import pytest

from agent_tuning.files import jsonl
from agent_tuning.prompts import system_prompt, template_check
from agent_tuning.records import Group, PromptSpec, Tool, Trajectory, User
from agent_tuning.runtime import config
from agent_tuning.synthesis import template_search
from agent_tuning.synthesis.template_search import (
    Question,
    TemplateSearch,
    read_grade,
    strip_code_fence,
)
from tests.support import default_data
from tests.support.chat_server import ChatServer

P = msgspec.structs.replace(
    config.load("template_search", template_search.TemplateSearchConfig),
    wanted={"en": 1},
    questions=4,
    epsilon=0.5,
)
TOOLS = (Tool("get_time", "Time in a city.", {"type": "object", "properties": {}}),)
QUESTIONS = [Question(TOOLS, f"Time in city {number}?") for number in range(4)]
GOOD = "Kind helper, use these when asked to:\n{{ tools }}\n{{ format }}"


class ScriptedModel:
    """A chat model that replies with its lines in turn, and then always with the last."""

    def __init__(self, *lines: str) -> None:
        self.lines = list(lines)
        self.received: list[list[dict[str, str]]] = []

    def complete(self, messages: list[dict[str, str]]) -> str:
        self.received.append(list(messages))
        return self.lines.pop(0) if len(self.lines) > 1 else self.lines[0]


class Grader:
    """Grades an answer by the first word of it; the answer names the template it was under."""

    def __init__(self, **points: str) -> None:
        self.points = points

    def complete(self, messages: list[dict[str, str]]) -> str:
        answer = messages[0]["content"].split("The assistant answered:\n")[1].split()[0]
        return self.points[answer]


class Teacher:
    """Writes templates, and answers with `new` under it and with `old` under any other."""

    def __init__(self, *texts: str) -> None:
        self.author = ScriptedModel(*texts)

    def complete(self, messages: list[dict[str, str]]) -> str:
        if messages[0]["role"] == "user":
            return self.author.complete(messages)
        return "new" if "Kind helper" in messages[0]["content"] else "old"


def verdict(teacher: Teacher, **points: str) -> template_search.Verdict:
    (verdict,) = TemplateSearch(teacher, Grader(**points), P).verdicts("en", QUESTIONS)
    return verdict


@pytest.mark.parametrize(
    ("new", "old", "kept"),
    [(8, 7, True), (7.6, 7, True), (7.5, 7, False), (7, 7, False), (3, 9, False)],
    ids=["better", "just better", "by epsilon only", "as good", "worse"],
)
def test_kept_is_what_beats_the_known_template_by_more_than_epsilon(new, old, kept):
    result = verdict(Teacher(GOOD), new=f'{{"score": {new}}}', old=f'{{"score": {old}}}')
    assert (result.kept, result.text) == (kept, GOOD)
    assert result.gain == pytest.approx(new - old)


def test_a_judge_that_grades_nothing_keeps_nothing():
    result = verdict(Teacher(GOOD), new="Both are fine.", old='{"score": 5}')
    assert (result.kept, result.reason) == (False, "the judge graded no answer")


@pytest.mark.parametrize(
    "bad",
    [
        "{{ tools }} without the other",
        "{{ tools }} {{ format }} {{ ''.__class__.__mro__ }}",
        "{% for x in range(9) %}{{ tools }}{% endfor %}{{ format }}",
        "{{ tools }} {{ format }} Reply in JSON.",
        "工具 {{ tools }} {{ format }}",
        "x" * 701 + "{{ tools }} {{ format }}",
        system_prompt.template_text("plain.en"),
    ],
    ids=["slot", "attribute", "statement", "contradiction", "language", "length", "known"],
)
def test_what_is_no_new_template_is_sent_back_with_the_reason_and_never_graded(bad):
    teacher = Teacher(bad, f"```jinja\n{GOOD}\n```")
    assert verdict(teacher, new='{"score": 9}', old='{"score": 1}').text == GOOD
    again = teacher.author.received[1]
    assert again[1] == {"role": "assistant", "content": bad}
    problem = TemplateSearch(teacher, teacher, P).find_problem(
        bad, "en", [system_prompt.template_text("plain.en")]
    )
    assert problem is not None
    assert problem in again[2]["content"]


def test_a_teacher_that_never_writes_a_template_gets_the_set_number_of_attempts():
    teacher = Teacher("I would rather not.")
    result = verdict(teacher, old='{"score": 1}')
    assert not result.kept
    assert "slots" in result.reason
    assert len(teacher.author.received) == P.attempts


def test_a_teacher_is_shown_the_slots_and_templates_that_exist():
    teacher = Teacher(GOOD)
    verdict(teacher, new='{"score": 9}', old='{"score": 1}')
    request = teacher.author.received[0][0]["content"]
    assert "\n{{ tools }} where" in request
    shown = [
        name
        for name in system_prompt.template_names("en")
        if system_prompt.template_text(name) in request
    ]
    assert len(shown) == 3


def test_kept_templates_are_files_that_pass_the_check_of_all_templates(tmp_path):
    teacher = Teacher(GOOD, GOOD.replace("Kind helper", "Grim helper"))
    p = msgspec.structs.replace(P, wanted={"en": 2})
    grader = Grader(new='{"score": 9}', old='{"score": 1}')
    titles = dict(
        template_search.write_kept_templates(
            TemplateSearch(teacher, grader, p), default_data.diversified_groups(), tmp_path
        )
    )
    assert [result.kept for result in titles.values()] == [True, False]
    (path,) = tmp_path.iterdir()
    assert path.name == f"{next(iter(titles))}.jinja"
    assert template_check.find_problem(path.read_text(), "en") is None


@pytest.mark.parametrize("language", ["en", "zh"])
def test_queries_are_drawn_from_groups_of_the_language_that_have_tools(language):
    general = Group(
        "g", PromptSpec("g", language, ()), (Trajectory("t", (User("Hi"),), "general", language),)
    )
    p = msgspec.structs.replace(P, questions=10_000)
    questions = template_search.draw_questions(
        [general, *default_data.diversified_groups()], language, p
    )
    groups = [group for group in default_data.diversified_groups() if group.language == language]
    assert len(questions) == sum(len(group.trajectories) for group in groups)
    assert all(question.tools for question in questions)


def test_the_command_asks_a_server_and_prints_the_verdict_on_each_template(
    tmp_path, monkeypatch, capsys
):
    jsonl.write(tmp_path / "groups", default_data.diversified_groups())
    with ChatServer({}, default=GOOD).running_in_a_thread() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        template_search.main(tmp_path / "groups", tmp_path / "store", tmp_path)
    printed = capsys.readouterr().out.splitlines()
    wanted = config.load("template_search", template_search.TemplateSearchConfig).wanted
    title = template_search.name_template(GOOD, "en")
    assert printed.count(f"{title}: not kept: the judge graded no answer") == wanted["en"]
    assert sum("is not in the language zh" in line for line in printed) == wanted["zh"]
    assert not list(tmp_path.glob("*.jinja"))


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ('{"score": 7}', 7.0),
        ('Well: {"score": 0.5, "why": "late"} so', 0.5),
        ('{"score": 11}', None),
        ('{"score": -1}', None),
        ('{"score": true}', None),
        ('{"score": "7"}', None),
        ('{"mark": 7}', None),
        ("7", None),
        ("", None),
        ('{"score": 1e999}', None),
    ],
)
def test_a_grade_is_a_number_from_0_to_10_or_none(text, score):
    assert read_grade(text) == score


def test_a_fence_around_a_text_is_no_part_of_it():
    assert strip_code_fence("```\na\n```") == strip_code_fence(" a\n") == "a"
    assert strip_code_fence("a\n```\nb\n```") == "a\n```\nb\n```"
