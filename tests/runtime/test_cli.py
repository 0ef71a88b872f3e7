"""A stage as a command: its signature is its usage, bad input is one line."""

import sys
from pathlib import Path

import pytest

from agent_tuning.records import BadInput, Unfinished
from agent_tuning.runtime import cli


def start(monkeypatch: pytest.MonkeyPatch, main: object, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["stage.py", *arguments])
    cli.run(main)


@pytest.mark.parametrize(
    "arguments",
    [
        ("a", "b/c"),
        ("--source", "a", "--target", "b/c"),
        ("--target", "b/c", "--source", "a"),
        ("a", "--target", "b/c"),
    ],
)
def test_main_gets_its_arguments_as_paths_by_position_or_by_name(monkeypatch, arguments):
    given = []
    start(monkeypatch, lambda source, target: given.extend([source, target]), *arguments)
    assert given == [Path("a"), Path("b/c")]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("a",),
        ("a", "b", "c"),
        ("--source", "a"),
        ("--source", "a", "--source", "b"),
        ("a", "b", "--source", "c"),
        ("--source", "--target", "b"),
    ],
)
def test_missing_repeated_and_needless_arguments_show_the_usage(monkeypatch, arguments):
    usage = r"^usage: stage\.py --source PATH --target PATH \("
    with pytest.raises(SystemExit, match=usage):
        start(monkeypatch, lambda source, target: None, *arguments)  # noqa: ARG005


def test_bad_input_is_one_line_and_a_failure(monkeypatch):
    def main(path: Path) -> None:
        raise BadInput(f"{path}:3: no such key")

    with pytest.raises(SystemExit) as stop:
        start(monkeypatch, main, "p.yaml")
    assert stop.value.code == "error: p.yaml:3: no such key"  # a text is exit status 1


def test_a_mistake_of_ours_keeps_its_traceback(monkeypatch):
    def main() -> None:
        raise ValueError("ours")

    with pytest.raises(ValueError, match="ours"):
        start(monkeypatch, main)


def test_what_can_go_on_later_is_one_line_and_status_75(monkeypatch, capsys):
    def main() -> None:
        raise Unfinished("no money left")

    with pytest.raises(SystemExit) as stop:
        start(monkeypatch, main)
    assert stop.value.code == 75
    assert capsys.readouterr().err == "stopped: no money left\n"


def optional(given: list[object]) -> object:
    def main(path: Path, *, dry_run: bool = False, preview: int = 0) -> None:
        given.extend([path, dry_run, preview])

    return main


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["a"], [Path("a"), False, 0]),
        (["a", "--dry-run"], [Path("a"), True, 0]),
        (["--preview", "3", "a"], [Path("a"), False, 3]),
    ],
)
def test_keyword_only_parameters_are_options(monkeypatch, arguments, expected):
    given: list[object] = []
    start(monkeypatch, optional(given), *arguments)
    assert given == expected


def paths(given: list[object]) -> object:
    def main(lock: Path, folder: Path, *names: Path) -> None:
        given.extend([lock, folder, *names])

    return main


@pytest.mark.parametrize(
    "arguments",
    [
        ["a", "b", "c", "d"],
        ["--lock", "a", "--folder", "b", "c", "d"],
        ["--folder", "b", "a", "c", "d"],
    ],
    ids=["by position", "by name", "mixed"],
)
def test_every_path_may_be_named(monkeypatch, arguments):
    given: list[object] = []
    start(monkeypatch, paths(given), *arguments)
    assert given == [Path(name) for name in "abcd"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--lock", "a"], r"missing --folder"),
        (["--lock", "a", "--lock", "b", "c"], r"--lock is given twice"),
        (["--lock", "--folder", "b"], r"--lock needs a value"),
        (["--key", "a"], r"unknown option --key"),
    ],
)
def test_a_wrong_named_path_says_which(monkeypatch, arguments, problem):
    with pytest.raises(SystemExit, match=problem):
        start(monkeypatch, paths([]), *arguments)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["a", "--dry"], "unknown option --dry"),
        (["a", "--preview"], "--preview needs a value"),
        (["a", "--preview", "x"], "--preview: expected a whole number, got x"),
    ],
)
def test_a_wrong_option_shows_the_usage(monkeypatch, arguments, problem):
    usage = rf"^usage: stage\.py --path PATH \[--dry-run\] \[--preview N\] \({problem}\)"
    with pytest.raises(SystemExit, match=usage):
        start(monkeypatch, optional([]), *arguments)


def test_ctrl_c_is_one_line_and_the_status_that_a_shell_gives(monkeypatch, capsys):
    def main() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as stop:
        start(monkeypatch, main)
    assert stop.value.code == 130
    assert capsys.readouterr().err == "stopped: interrupted\n"


@pytest.mark.parametrize(
    ("use", "line"),
    [
        (lambda folder: (folder / "none").read_text(), "none: No such file or directory"),
        (lambda folder: folder.read_text(), "Is a directory"),
        (lambda folder: (folder / "file").mkdir(), "file: File exists"),
        (lambda folder: (folder / "file/below").write_text(""), "file/below: Not a directory"),
    ],
    ids=["missing", "folder", "exists", "below a file"],
)
def test_a_path_that_cannot_be_used_is_one_line(monkeypatch, tmp_path, use, line):
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match=line) as stop:
        start(monkeypatch, lambda path: use(path), str(tmp_path))
    assert "\n" not in str(stop.value.code)


def test_a_full_disk_that_no_writer_explained_is_one_line_too(monkeypatch):
    def main() -> None:
        with open("/dev/full", "w", buffering=1) as out:
            out.write("text\n")

    with pytest.raises(SystemExit, match=r"no space left to write it \(\d+\.\d MB are free\)"):
        start(monkeypatch, main)


def test_an_error_shows_control_characters_except_the_ends_of_its_lines(monkeypatch):
    def main() -> None:
        raise BadInput("p.yaml:3: \x1b]0;title\x07 \u202egnp.exe\r\n  second problem")

    with pytest.raises(SystemExit) as stop:
        start(monkeypatch, main)
    shown = "error: p.yaml:3: \\x1b]0;title\\x07 \\u202egnp.exe\\r\n  second problem"
    assert stop.value.code == shown
