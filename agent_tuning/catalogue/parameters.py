"""A tool's parameters as its author wrote them, in the words that every tool list can write."""

from agent_tuning.catalogue import schema, schema_merging
from agent_tuning.catalogue.schema_references import References, SchemaProblem
from agent_tuning.records import Json


def write_out(parameters: dict[str, Json], place: str) -> dict[str, Json]:
    """The same parameters without references, in the words that every tool list can write.

    Raises SchemaProblem, with the place of the mistake, if they are no parameters.
    """
    written = References(parameters).write_out(parameters, place)
    if problem := schema.find_schema_problem(written):
        raise SchemaProblem(f"{place}: not a JSON Schema: {problem}")
    simple: dict[str, Json] = schema_merging.simplify(written)
    if problem := schema.find_parameters_problem(simple):
        raise SchemaProblem(f"{place}: {problem}")
    return simple
