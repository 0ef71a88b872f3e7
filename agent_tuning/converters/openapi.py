"""Tools from an OpenAPI 3 document: one operation, one tool.

Path and query parameters and the body become one object of arguments. Headers and cookies are left
out: a client sets them, no model. A body that is no plain object, or whose properties are called
like a parameter, is one argument `body`.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from agent_tuning.converters import schemas
from agent_tuning.converters.documents import convert_part
from agent_tuning.converters.imported_tool import ImportedTool
from agent_tuning.converters.schemas import SchemaResolver
from agent_tuning.records import BadInput, Json

METHODS = ("get", "put", "post", "delete", "patch", "options", "head", "trace")
# A body of no other keywords is its properties and nothing more.
PLAIN = {"type", "properties", "required", "description", "additionalProperties"}
JSON_MEDIA = "application/json"


class Media(msgspec.Struct):
    schema: Json = {}
    example: Json = None
    examples: dict[str, Json] = {}


class Parameter(msgspec.Struct):
    name: str
    where: str = msgspec.field(name="in")
    required: bool = False
    description: str = ""
    schema: Json = {}
    content: dict[str, Media] = {}


class Body(msgspec.Struct):
    content: dict[str, Media]
    required: bool = False


class Response(msgspec.Struct):
    content: dict[str, Media] = {}


class Operation(msgspec.Struct):
    operation_id: str = msgspec.field(name="operationId", default="")
    summary: str = ""
    description: str = ""
    parameters: list[Json] = []
    body: Json = msgspec.field(name="requestBody", default=None)
    responses: dict[str, Json] = {}


class Document(msgspec.Struct):
    openapi: str
    paths: dict[str, Json] = {}


def read_openapi_tools(document: Json, path: Path) -> Iterator[ImportedTool]:
    read = convert_part(document, Document, path, "")
    if not read.openapi.startswith("3."):
        raise BadInput(f"{path}: openapi: expected 3.x, found {read.openapi!r}")
    reader = _Reader(document, path)
    for route, value in read.paths.items():
        item = reader.schemas.target(value, f"paths.{route}")
        item = convert_part(item, dict[str, Json], path, f"paths.{route}")
        for method in METHODS:
            if method in item:
                yield reader.tool(route, method, item)


class _Reader:
    def __init__(self, document: Json, path: Path) -> None:
        self.path = path
        self.schemas = SchemaResolver(document, path)

    def tool(self, route: str, method: str, item: dict[str, Json]) -> ImportedTool:
        place = f"paths.{route}.{method}"
        operation = convert_part(item[method], Operation, self.path, place)
        shared = convert_part(item.get("parameters", []), list[Json], self.path, f"paths.{route}")
        name = operation.operation_id or f"{method}_{route}"
        return ImportedTool(
            place=place,
            name=re.sub(r"[^A-Za-z0-9.-]+", "_", name).strip("_"),
            description=operation.summary or operation.description,
            parameters=self._arguments(operation, shared, place),
            observations=self._observations(operation, f"{place}.responses"),
        )

    def _arguments(self, operation: Operation, shared: list[Json], place: str) -> dict[str, Json]:
        properties: dict[str, Json] = {}
        required: dict[str, bool] = {}
        # An operation's own parameter replaces the path's of the same name.
        for number, value in enumerate([*shared, *operation.parameters]):
            at = f"{place}.parameters.{number}"
            one = convert_part(self.schemas.target(value, at), Parameter, self.path, at)
            if one.where in ("path", "query"):
                schema = next((media.schema for media in one.content.values()), one.schema)
                made = self.schemas.whole(schema, "sent", at)
                if one.description:
                    made["description"] = one.description
                properties[one.name] = made
                required[one.name] = one.required or one.where == "path"
        needed = [name for name, is_needed in required.items() if is_needed]
        arguments = {"type": "object", "properties": properties, "required": needed}
        return self._with_body(arguments, operation.body, f"{place}.requestBody")

    def _with_body(self, arguments: dict[str, Json], value: Json, place: str) -> dict[str, Json]:
        """The arguments, and the body's properties among them."""
        if value is None:
            return arguments
        body = convert_part(self.schemas.target(value, place), Body, self.path, place)
        schema = self.schemas.whole(_preferred(body.content).schema, "sent", place)
        inner, needed = schema.get("properties", {}), schema.get("required", [])
        if not inner or schema.keys() - PLAIN or inner.keys() & arguments["properties"].keys():
            inner, needed = {"body": schema}, ["body"]
        return {
            "type": "object",
            "properties": {**arguments["properties"], **inner},
            "required": [*arguments["required"], *(needed if body.required else [])],
        }

    def _observations(self, operation: Operation, place: str) -> tuple[dict[str, Json], ...]:
        """The examples of the first successful answer in JSON, or one made from its schema."""
        for code in sorted(code for code in operation.responses if code.startswith("2")):
            at = f"{place}.{code}"
            value = self.schemas.target(operation.responses[code], at)
            response = convert_part(value, Response, self.path, at)
            if response.content:
                media = _preferred(response.content)
                return tuple(map(_as_object, self._examples(media, at)))
        return ()

    def _examples(self, media: Media, place: str) -> list[Json]:
        if media.example is not None:
            return [media.example]
        named = [self.schemas.target(one, place) for one in media.examples.values()]
        if values := [one["value"] for one in named if isinstance(one, dict) and "value" in one]:
            return values
        return [schemas.build_example(self.schemas.whole(media.schema, "given", place))]


def _preferred(content: dict[str, Media]) -> Media:
    """JSON where there is a choice."""
    return content.get(JSON_MEDIA) or next(iter(content.values()), Media())


def _as_object(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {"result": value}
