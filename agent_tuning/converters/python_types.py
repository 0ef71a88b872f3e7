"""Parameters named by Python types, as xLAM writes them: `{"stop": {"type": "str, optional"}}`.

A schema that such types cannot express stays a JSON Schema, and both are read. In a JSON Schema the
types may be Python's too, as BFCL writes them: `dict`, `float`.
"""

import ast
import re
from collections.abc import Callable

import msgspec

from agent_tuning.catalogue.schema_references import change_parts
from agent_tuning.converters import python_literals
from agent_tuning.records import Json, Tool

PYTHON_TYPES = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "array": "list",
    "object": "dict",
}
JSON_TYPES = {python: name for name, python in PYTHON_TYPES.items()} | {
    **{name: name for name in PYTHON_TYPES},
    **{"List": "array", "Dict": "object", "tuple": "array", "Tuple": "array"},
    **{"set": "array", "Set": "array", "Sequence": "array", "double": "number", "long": "integer"},
}
# Keywords whose value is a text or a list, as no named type is.
IN_SCHEMAS = ("type", "required", "$ref", "$schema", "allOf", "anyOf", "oneOf")
OPTIONAL = re.compile(r"\s*[,(]\s*optional\b\)?", re.IGNORECASE)
DEFAULT = re.compile(r",\s*default(?:s to)?[:\s]\s*(.*)$", re.IGNORECASE)


def write_tool(tool: Tool) -> Tool:
    """A tool whose parameters are named types, if these express the whole schema."""
    required = tool.parameters.get("required", [])
    properties = tool.parameters.get("properties", {})
    named = {
        name: _write_named_type(schema, name in required) for name, schema in properties.items()
    }
    same = read_parameters(named, "") == tool.parameters
    return msgspec.structs.replace(tool, parameters=named) if same else tool


def _write_named_type(schema: Json, required: bool) -> Json:
    kind = schema.get("type") if isinstance(schema, dict) else None
    if not isinstance(kind, str) or kind not in PYTHON_TYPES:
        return schema
    return schema | {"type": PYTHON_TYPES[kind] + ("" if required else ", optional")}


def read_parameters(parameters: Json, place: str) -> Json:
    """A JSON Schema of parameters that are one, or named types.

    Raises ValueError with place and problem.
    """
    if not isinstance(parameters, dict):
        raise ValueError(f"{place}: expected an object")
    if _is_schema(parameters):
        return _translate_types(parameters, place)
    properties: dict[str, Json] = {}
    required: list[str] = []
    for name, value in parameters.items():
        if not isinstance(value, dict):
            raise ValueError(f"{place}.{name}: expected an object with a type, found {value!r}")
        properties[name], optional = _read_named_type(value, f"{place}.{name}")
        required += [] if optional else [name]
    return {"type": "object", "properties": properties, "required": required}


def _is_schema(parameters: dict[str, Json]) -> bool:
    """A parameter may be called `type` or `properties`, but its value is no text or no map."""
    if any(isinstance(parameters.get(key), str | list) for key in IN_SCHEMAS):
        return True
    properties = parameters.get("properties")
    return isinstance(properties, dict) and all(isinstance(v, dict) for v in properties.values())


def _translate_types(schema: Json, place: str) -> Json:
    """A JSON Schema with its own types in place of Python's."""
    if not isinstance(schema, dict):
        return schema
    translated = change_parts(schema, _translate_types, place)
    kind = translated.get("type")
    if kind in ("any", "Any"):
        del translated["type"]
    elif isinstance(kind, str) and kind in JSON_TYPES:
        translated["type"] = JSON_TYPES[kind]
    elif (
        isinstance(kind, str) and kind != "null" and _read_type(OPTIONAL.sub("", kind)) is not None
    ):
        translated, _ = _read_named_type(translated, place)
    properties, required = schema.get("properties"), translated.get("required")
    if isinstance(properties, dict) and isinstance(required, list):
        translated["required"] = [n for n in required if not _is_optional(properties.get(n))]
    return translated


def _is_optional(schema: Json) -> bool:
    """Whether a type says that its parameter may be left out, as `str, optional` does."""
    kind = schema.get("type") if isinstance(schema, dict) else None
    return isinstance(kind, str) and bool(OPTIONAL.search(kind))


def _read_named_type(value: dict[str, Json], place: str) -> tuple[Json, bool]:
    """A named type as a schema, and whether the parameter may be left out."""
    python = str(value.get("type", ""))
    flags = {key for key in ("required", "optional") if isinstance(value.get(key), bool)}
    rest = {key: part for key, part in value.items() if key != "type" and key not in flags}
    optional = "optional" in python.lower() or value.get("optional") is True
    optional = optional or value.get("required") is False
    python = OPTIONAL.sub("", python).strip()
    if default := DEFAULT.search(python):
        optional = True
        python = python[: default.start()]
        rest = {"default": _read_literal(default.group(1)), **rest}
    known = _read_type(python)
    if known is None:  # a model can still read it
        noted = f"{rest.get('description', '')} ({python})".strip()
        return {**rest, "description": noted}, optional
    return _translate_types({**known, **rest}, place), optional


def _read_type(python: str) -> dict[str, Json] | None:
    """`List[int]` as a JSON Schema; None for a type that JSON does not have."""
    try:
        return _read_node(python_literals.parse(python.strip() or "Any"))
    except (ValueError, RecursionError):
        return None


def _read_node(node: ast.expr) -> dict[str, Json]:
    if isinstance(node, ast.Constant) and node.value is None:
        return {"type": "null"}
    if isinstance(node, ast.Attribute):  # typing.List
        return _read_node(ast.Name(node.attr))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _join([_read_node(node.left), _read_node(node.right)])
    if isinstance(node, ast.Name):
        if node.id in ("Any", "any", "object_"):
            return {}
        if node.id in JSON_TYPES:
            return {"type": JSON_TYPES[node.id]}
    if isinstance(node, ast.Subscript):
        inside = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        name = node.value.attr if isinstance(node.value, ast.Attribute) else ast.unparse(node.value)
        if name in GENERIC:
            return GENERIC[name](inside)
    raise ValueError(ast.unparse(node))


def _join(schemas: list[dict[str, Json]]) -> dict[str, Json]:
    return {"anyOf": schemas} if {} not in schemas else {}


def _read_list(inside: list[ast.expr]) -> dict[str, Json]:
    items = _read_node(inside[0])
    return {"type": "array", "items": items} if items else {"type": "array"}


def _read_dict(inside: list[ast.expr]) -> dict[str, Json]:
    values = _read_node(inside[-1])
    return {"type": "object", "additionalProperties": values} if values else {"type": "object"}


def _read_tuple(inside: list[ast.expr]) -> dict[str, Json]:
    if len(inside) == 2 and isinstance(inside[1], ast.Constant) and inside[1].value is ...:
        return _read_list(inside)
    return {"type": "array", "prefixItems": [_read_node(node) for node in inside]}


def _read_literal_type(inside: list[ast.expr]) -> dict[str, Json]:
    return {"enum": [ast.literal_eval(node) for node in inside]}


GENERIC: dict[str, Callable[[list[ast.expr]], dict[str, Json]]] = {
    **dict.fromkeys(("List", "list", "Sequence", "set", "Set", "Iterable"), _read_list),
    **dict.fromkeys(("Dict", "dict", "Mapping"), _read_dict),
    **dict.fromkeys(("Tuple", "tuple"), _read_tuple),
    "Union": lambda inside: _join([_read_node(node) for node in inside]),
    "Optional": lambda inside: _join([_read_node(inside[0]), {"type": "null"}]),
    "Literal": _read_literal_type,
}


def _read_literal(text: str) -> Json:
    """A default as JSON or as Python writes it, or else its text."""
    try:
        value = ast.literal_eval(text.strip())
        return value if isinstance(value, str | int | float | bool | list | dict) else text
    except (SyntaxError, ValueError):
        return text.strip()
