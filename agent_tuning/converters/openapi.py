"""Tools from an OpenAPI 3 document: each operation becomes a tool.

Path and query parameters and the body become one object of arguments. A client sets headers,
cookies and keys of the API, not a model: these are left out. A query parameter that has the name of
a path parameter becomes `query_NAME`. A body becomes one argument `body` if it is no plain object,
or if one of its properties has the name of a parameter.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from agent_tuning.catalogue.schema_references import References, SchemaProblem
from agent_tuning.converters import examples, row_fields, schemas
from agent_tuning.converters.documents import convert_part
from agent_tuning.converters.imported_tool import ImportedTool, Outcome, UnusableTool
from agent_tuning.records import BadInput, Json

T = TypeVar("T")
METHODS = ("get", "put", "post", "delete", "patch", "options", "head", "trace")
PLACES = ("path", "query", "header", "cookie")
# A body with only these keywords says nothing beyond its properties.
PLAIN = {"type", "properties", "required", "description", "additionalProperties"}
VARIABLE = re.compile(r"\{([^{}+*:=]+)")  # in a path; some servers write {name+} or {name:pattern}
JSON_MEDIA = "application/json"
# Names under which a key of the API stands in a query, where the document does not say so.
KEY = re.compile(r"(api|access|auth|subscription|app|client)[_-]?(key|token|secret)", re.IGNORECASE)


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


# Every field of a path, an operation and a parameter; what is not read here is nothing to a model.
PATH_FIELDS = {*METHODS, "parameters", "summary", "description", "servers"}
KNOWN: dict[type, set[str]] = {
    Operation: {
        *("operationId", "summary", "description", "parameters", "requestBody", "responses"),
        *("tags", "externalDocs", "callbacks", "deprecated", "security", "servers"),
    },
    Parameter: {
        *("name", "in", "required", "description", "schema", "content", "example", "examples"),
        *("deprecated", "allowEmptyValue", "style", "explode", "allowReserved"),
    },
}


def read_openapi_tools(document: Json, path: Path) -> Iterator[Outcome]:
    """The operations in their order. Raises BadInput if the document is no OpenAPI 3."""
    if isinstance(document, dict) and "swagger" in document:
        version = document["swagger"]
        raise BadInput(
            f"{path}: swagger: expected OpenAPI 3; convert Swagger {version} to it first"
        )
    openapi = convert_part(document, Document, path, "")
    if not openapi.openapi.startswith("3."):
        raise BadInput(f"{path}: openapi: expected 3.x, found {openapi.openapi!r}")
    reader = _Reader(document)
    for route, value in openapi.paths.items():
        place = f"paths.{route}"
        try:
            item = reader.read_part(value, dict[str, Json], place)
            _refuse_unknown(item, PATH_FIELDS, place)
        except ValueError as error:
            yield UnusableTool(place, "", str(error))
            continue
        for method in METHODS:
            if method in item:
                yield reader.read(route, method, item)


class _Reader:
    def __init__(self, document: dict[str, Json]) -> None:
        self.references = References(document)
        self.keys = set(_list_query_keys(document))

    def read(self, route: str, method: str, item: dict[str, Json]) -> Outcome:
        place = f"paths.{route}.{method}"
        operation = item[method] if isinstance(item[method], dict) else {}
        name = operation.get("operationId") or f"{method}_{route}"
        name = re.sub(r"[^A-Za-z0-9.-]+", "_", str(name)).strip("_")
        try:
            return self._read_tool(name, item, item[method], place)
        except ValueError as error:
            return UnusableTool(place, name, str(error))

    def read_part(self, value: Json, kind: type[T], place: str) -> T:
        """What a value, or the end of its references, says. Raises ValueError with its place."""
        value = self.references.follow(value, place)
        if kind in KNOWN and isinstance(value, dict):
            _refuse_unknown(value, KNOWN[kind], place)
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            raise ValueError(f"{place}: {error}") from error

    def _read_tool(self, name: str, item: dict[str, Json], value: Json, place: str) -> ImportedTool:
        operation = self.read_part(value, Operation, place)
        route = place.rpartition(".")[0]
        shared = self.read_part(item.get("parameters", []), list[Json], f"{route}.parameters")
        parameters = [
            *((one, f"{route}.parameters.{n}") for n, one in enumerate(shared)),
            *((one, f"{place}.parameters.{n}") for n, one in enumerate(operation.parameters)),
        ]
        return ImportedTool(
            place=place,
            name=name,
            description=operation.summary or operation.description,
            parameters=self._build_arguments(parameters, operation.body, place),
            observations=self._build_observations(operation, f"{place}.responses"),
        )

    def _build_arguments(
        self, parameters: list[tuple[Json, str]], body: Json, place: str
    ) -> dict[str, Json]:
        """The arguments. An operation's own parameter replaces the path's of the same place."""
        read: dict[tuple[str, str], tuple[Parameter, str]] = {}
        for value, at in parameters:
            parameter = self.read_part(value, Parameter, at)
            if parameter.where not in PLACES:
                raise ValueError(f"{at}.in: expected one of {', '.join(PLACES)}")
            read[parameter.where, parameter.name] = (parameter, at)
        for variable in VARIABLE.findall(place.rpartition(".")[0]):
            if ("path", variable) not in read:
                raise ValueError(f"{place}.parameters: none is in the path and called {variable}")
        properties: dict[str, Json] = {}
        required: list[str] = []
        for (where, own_name), (parameter, at) in read.items():
            if where not in ("path", "query") or (where == "query" and self._is_key(own_name)):
                continue
            name = own_name
            if where == "query" and ("path", own_name) in read:
                name = f"query_{own_name}"
            if not own_name or name in properties:
                raise ValueError(f"{at}.name: no name, or that of another parameter: {name!r}")
            media = next(iter(parameter.content.values()), None)
            schema = media.schema if media else parameter.schema
            properties[name] = schemas.resolve(schema, self.references, "sent", at)
            if parameter.description:
                properties[name]["description"] = parameter.description
            required += [name] if parameter.required or where == "path" else []
        arguments = {"type": "object", "properties": properties, "required": required}
        return self._add_body(arguments, body, f"{place}.requestBody")

    def _is_key(self, name: str) -> bool:
        return name in self.keys or KEY.fullmatch(name) is not None

    def _add_body(self, arguments: dict[str, Json], value: Json, place: str) -> dict[str, Json]:
        """The arguments, and the body's properties among them."""
        if value is None:
            return arguments
        body = self.read_part(value, Body, place)
        schema = schemas.resolve(_choose_media(body.content).schema, self.references, "sent", place)
        inner, needed = schema.get("properties", {}), schema.get("required", [])
        is_plain = schema.keys() <= PLAIN and not schema.get("additionalProperties")
        if not inner or not is_plain or inner.keys() & arguments["properties"].keys():
            inner, needed = {"body": schema}, ["body"]
        if inner.keys() & arguments["properties"].keys():
            raise ValueError(f"{place}: a parameter is called body too")
        return {
            "type": "object",
            "properties": {**arguments["properties"], **inner},
            "required": [*arguments["required"], *(needed if body.required else [])],
        }

    def _build_observations(self, operation: Operation, place: str) -> tuple[dict[str, Json], ...]:
        """The examples of the first successful response, or one built from its schema."""
        for code in sorted(code for code in operation.responses if code.startswith("2")):
            at = f"{place}.{code}"
            response = self.read_part(operation.responses[code], Response, at)
            if response.content:
                media = _choose_media(response.content)
                return tuple(map(_wrap_object, self._list_examples(media, at)))
        return ()

    def _list_examples(self, media: Media, place: str) -> list[Json]:
        """The document's own examples, or one out of the schema; none that says nothing."""
        named = [self.references.follow(value, place) for value in media.examples.values()]
        given = [one["value"] for one in named if isinstance(one, dict) and "value" in one]
        given = [media.example] if media.example is not None else given
        if real := [example for example in given if not examples.is_placeholder(example)]:
            return real
        try:
            schema = schemas.resolve(media.schema, self.references, "given", place)
        except SchemaProblem:
            return []  # a tool can be used without
        built = examples.build_example(schema)
        return [] if built is examples.UNKNOWN else [built]


def _refuse_unknown(value: dict[str, Json], known: set[str], place: str) -> None:
    for key, part in value.items():
        if key not in known and not key.startswith("x-") and not row_fields.says_nothing(part):
            raise row_fields.refuse_field(place, key, known)


def _list_query_keys(document: dict[str, Json]) -> Iterator[str]:
    """The query parameters that hold a key, as the document's security schemes say."""
    components = document.get("components")
    schemes = components.get("securitySchemes") if isinstance(components, dict) else None
    for scheme in schemes.values() if isinstance(schemes, dict) else ():
        if isinstance(scheme, dict) and scheme.get("in") == "query":
            yield str(scheme.get("name"))


def _choose_media(content: dict[str, Media]) -> Media:
    """JSON where there are several."""
    return content.get(JSON_MEDIA) or next(iter(content.values()), Media())


def _wrap_object(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {"result": value}
