"""Tools from an OpenAPI 3 document: each operation becomes a tool.

Path and query parameters and the body become one object of arguments. Headers and cookies are left
out: a client sets them, not a model. A body becomes one argument `body` if it is no plain object,
or if one of its properties has the name of a parameter.
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
# A body with only these keywords says nothing beyond its properties.
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
    openapi = convert_part(document, Document, path, "")
    if not openapi.openapi.startswith("3."):
        raise BadInput(f"{path}: openapi: expected 3.x, found {openapi.openapi!r}")
    reader = _Reader(document, path)
    for route, value in openapi.paths.items():
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
            parameters=self._build_arguments(operation, shared, place),
            observations=self._build_observations(operation, f"{place}.responses"),
        )

    def _build_arguments(
        self, operation: Operation, shared: list[Json], place: str
    ) -> dict[str, Json]:
        properties: dict[str, Json] = {}
        required: dict[str, bool] = {}
        # An operation's own parameter replaces the path's of the same name.
        for number, value in enumerate([*shared, *operation.parameters]):
            at = f"{place}.parameters.{number}"
            parameter = convert_part(self.schemas.target(value, at), Parameter, self.path, at)
            if parameter.where in ("path", "query"):
                media = next(iter(parameter.content.values()), None)
                schema = media.schema if media else parameter.schema
                resolved = self.schemas.resolve(schema, "sent", at)
                if parameter.description:
                    resolved["description"] = parameter.description
                properties[parameter.name] = resolved
                required[parameter.name] = parameter.required or parameter.where == "path"
        needed = [name for name, is_needed in required.items() if is_needed]
        arguments = {"type": "object", "properties": properties, "required": needed}
        return self._add_body(arguments, operation.body, f"{place}.requestBody")

    def _add_body(self, arguments: dict[str, Json], value: Json, place: str) -> dict[str, Json]:
        """The arguments, and the body's properties among them."""
        if value is None:
            return arguments
        body = convert_part(self.schemas.target(value, place), Body, self.path, place)
        schema = self.schemas.resolve(_choose_media(body.content).schema, "sent", place)
        inner, needed = schema.get("properties", {}), schema.get("required", [])
        if not inner or schema.keys() - PLAIN or inner.keys() & arguments["properties"].keys():
            inner, needed = {"body": schema}, ["body"]
        return {
            "type": "object",
            "properties": {**arguments["properties"], **inner},
            "required": [*arguments["required"], *(needed if body.required else [])],
        }

    def _build_observations(self, operation: Operation, place: str) -> tuple[dict[str, Json], ...]:
        """The examples of the first successful response, or one built from its schema."""
        for code in sorted(code for code in operation.responses if code.startswith("2")):
            at = f"{place}.{code}"
            value = self.schemas.target(operation.responses[code], at)
            response = convert_part(value, Response, self.path, at)
            if response.content:
                media = _choose_media(response.content)
                return tuple(map(_wrap_object, self._list_examples(media, at)))
        return ()

    def _list_examples(self, media: Media, place: str) -> list[Json]:
        if media.example is not None:
            return [media.example]
        examples = [self.schemas.target(value, place) for value in media.examples.values()]
        objects = [example for example in examples if isinstance(example, dict)]
        if values := [example["value"] for example in objects if "value" in example]:
            return values
        return [schemas.build_example(self.schemas.resolve(media.schema, "given", place))]


def _choose_media(content: dict[str, Media]) -> Media:
    """JSON where there are several."""
    return content.get(JSON_MEDIA) or next(iter(content.values()), Media())


def _wrap_object(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {"result": value}
