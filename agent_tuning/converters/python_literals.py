"""Values of JSON as Python writes them: `{'a': True}`, or with a comma after the last part.

Nothing is evaluated. A value that JSON does not have, such as a set or bytes, is an error.
"""

import ast
import json
import warnings
from collections.abc import Sequence

from agent_tuning.files import strict_json
from agent_tuning.records import Json

JSON_NAMES = {"true": True, "false": False, "null": None}


def read(text: str, field: str) -> Json:
    """The value of a text that JSON or Python wrote. Raises ValueError that names the field."""
    try:
        return strict_json.decode(text)
    except json.JSONDecodeError:
        pass  # then Python wrote it
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from error
    try:
        value = read_node(parse(text))
    except ValueError as error:
        shown = strict_json.shorten(text)
        raise ValueError(f"{field}: expected a value of JSON or Python, found {shown}") from error
    try:
        strict_json.check(value)
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from error
    return value


def parse(text: str) -> ast.expr:
    """The expression of a text. Raises ValueError if it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes that Python keeps as they are
            return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError("expected an expression of Python") from error


def read_node(node: ast.expr) -> Json:
    """A value that JSON has too. Raises ValueError for any other."""
    try:
        return _read_node(node)
    except RecursionError as error:
        raise ValueError("too deep") from error


def read_pairs(keys: Sequence[Json], values: Sequence[ast.expr]) -> dict[str, Json]:
    """An object. A key that is no text (also that of `**more`) or comes twice is an error."""
    pairs = {
        key: read_node(value)
        for key, value in zip(keys, values, strict=True)
        if isinstance(key, str)
    }
    if len(pairs) < len(keys):
        raise ValueError("expected texts as keys, each once")
    return pairs


def _read_node(node: ast.expr | None) -> Json:
    match node:
        case ast.Constant(value=str() | int() | float() | None as value):
            return value
        case ast.Name(id=name) if name in JSON_NAMES:
            return JSON_NAMES[name]
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_read_node(item) for item in items]
        case ast.Dict(keys=keys, values=values):
            return read_pairs([_read_node(key) for key in keys], values)
    raise ValueError("expected a value of JSON")
