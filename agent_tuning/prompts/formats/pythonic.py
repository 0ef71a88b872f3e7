"""Pythonic: a list of Python calls, or answer("..."), or ask("..."); the thought is a comment.

Read by Python's parser into a tree, never run.
"""

import ast
import keyword
import re
import warnings
from collections.abc import Iterator, Sequence

import msgspec

from agent_tuning.prompts.formats.reading import (
    MalformedReply,
    build_decision,
    format_json,
    skip_blanks,
)
from agent_tuning.prompts.formats.segments import ReplyFormat, Segment
from agent_tuning.records import Assistant, Call, Json, Tool, ToolResult

VALID_PREFIXES = ("",)  # a parenthesis may stand before any of it
THOUGHT = re.compile(r"\s*(?:# ?([^\n]*)\n)?")
NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
CONSTANTS = {None: "None", True: "True", False: "False"}


class _UnexpectedNode(ValueError):
    """Valid Python that cannot be part of a call."""

    def __init__(self, node: ast.expr, expected: str) -> None:
        super().__init__(expected)
        self.node = node


def segments(turn: Assistant) -> list[Segment]:
    segments: list[Segment] = []
    if turn.thought:
        segments += [Segment("# "), Segment(turn.thought, "thought"), Segment("\n")]
    if turn.decision != "call":
        function = "ask" if turn.decision == "ask" else "answer"
        return [*segments, Segment(f"{function}({format_json(turn.text)})")]
    for number, call in enumerate(turn.calls):
        segments += [Segment(", " if number else "["), _write_name(call.name)]
        segments.append(Segment(f"({', '.join(_write_arguments(call))})"))
    return [*segments, Segment("]")]


def _write_name(name: str) -> Segment:
    """A name that is none in Python is quoted, and then it is trained like any other text."""
    if all(map(_is_name, re.split(r"[.-]", name))):
        return Segment(name, "name")
    return Segment(f"tools[{format_json(name)}]")


def _write_arguments(call: Call) -> Iterator[str]:
    for name, value in call.arguments.items():
        if _is_name(name):
            yield f"{name}={_write_literal(value)}"
        else:
            yield f"**{_write_literal({name: value})}"


def _is_name(text: str) -> bool:
    return bool(NAME.fullmatch(text)) and not keyword.iskeyword(text)


def _write_literal(value: Json) -> str:
    """A JSON value as Python writes it, with JSON's quotes."""
    if isinstance(value, dict):
        items = (f"{format_json(key)}: {_write_literal(item)}" for key, item in value.items())
        return f"{{{', '.join(items)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_write_literal, value))}]"
    return CONSTANTS[value] if value is None or isinstance(value, bool) else format_json(value)


def read(text: str, _: Sequence[Tool] = ()) -> Assistant:
    start = THOUGHT.match(text)
    assert start is not None  # the pattern matches the empty string
    thought, position = (start.group(1) or "").strip(), skip_blanks(text, start.end())
    source = text[position:]
    try:
        turn = _read_decision(thought, _parse(source))
        format_json(msgspec.to_builtins(turn)).encode()  # 1e999, or half of a surrogate pair
    except _UnexpectedNode as error:
        raise MalformedReply(
            str(error), text, position + _find_start(source, error.node)
        ) from error
    except SyntaxError as error:
        place = position + _count_before(source, error.lineno or 1) + (error.offset or 1) - 1
        raise MalformedReply(f"Python calls ({error.msg})", text, place) from error
    except (ValueError, RecursionError, MemoryError) as error:  # the last two: nested too deep
        raise MalformedReply(f"Python calls ({error})", text, position) from error
    return turn


def _parse(source: str) -> ast.expr:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of "\d": the model's, not the user's
        return ast.parse(source, mode="eval").body


def _count_before(source: str, line: int) -> int:
    """Characters before a line, counted from 1 as Python counts lines."""
    return len(b"".join(source.encode().splitlines(keepends=True)[: line - 1]).decode())


def _find_start(source: str, node: ast.expr) -> int:
    """The character where a node starts; Python's columns are bytes."""
    line = source.encode().splitlines()[node.lineno - 1]
    return _count_before(source, node.lineno) + len(line[: node.col_offset].decode())


def _read_decision(thought: str, body: ast.expr) -> Assistant:
    match body:
        case ast.List(elts=[_, *_]):
            return build_decision(thought, list(map(_read_call, body.elts)), None, None)
        case ast.Call(func=ast.Name("answer"), args=[ast.Constant(str(text))], keywords=[]):
            return build_decision(thought, None, text, None)
        case ast.Call(func=ast.Name("ask"), args=[ast.Constant(str(text))], keywords=[]):
            return build_decision(thought, None, None, text)
    raise _UnexpectedNode(body, "a list of calls, answer(...) or ask(...)")


def _read_call(node: ast.expr) -> Call:
    match node:
        case ast.Call(args=[]):
            arguments: dict[str, Json] = {}
            for keyword_node in node.keywords:
                if keyword_node.arg:
                    arguments[keyword_node.arg] = _read_value(keyword_node.value)
                else:
                    arguments |= _read_object(keyword_node.value)
            return Call(_read_name(node.func), arguments)
        case ast.BinOp(left, ast.Sub(), ast.Call()):  # get-time() is a subtraction to Python
            call = _read_call(node.right)
            return Call(f"{_read_name(left)}-{call.name}", call.arguments)
    raise _UnexpectedNode(node, "a call with named arguments")


def _read_name(node: ast.expr) -> str:
    match node:
        case ast.Name(name):
            return name
        case ast.Attribute(before, name):
            return f"{_read_name(before)}.{name}"
        case ast.BinOp(left, ast.Sub(), right):
            return f"{_read_name(left)}-{_read_name(right)}"
        case ast.Subscript(ast.Name("tools"), ast.Constant(str(name))):
            return name
    raise _UnexpectedNode(node, "a tool's name")


def _read_value(node: ast.expr) -> Json:
    match node:
        case ast.Constant(str() | int() | float() | None):
            return node.value
        case ast.UnaryOp(ast.USub(), ast.Constant(int() | float())):
            return -_read_value(node.operand)
        case ast.List():
            return list(map(_read_value, node.elts))
        case ast.Dict():
            return _read_object(node)
    raise _UnexpectedNode(node, "a JSON value")


def _read_object(node: ast.expr) -> dict[str, Json]:
    if not isinstance(node, ast.Dict):
        raise _UnexpectedNode(node, "a dict")
    items = {}
    for key, value in zip(node.keys, node.values, strict=True):
        if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
            raise _UnexpectedNode(key or value, "a string")
        items[key.value] = _read_value(value)
    return items


def write_observations(results: Sequence[ToolResult]) -> str:
    return "\n".join(f"{result.name} -> {format_json(result.content)}" for result in results)


FORMAT = ReplyFormat(VALID_PREFIXES, segments, read, write_observations)
