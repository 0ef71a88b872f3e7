"""A small shop with written examples, for tests of the stage `written`."""

from collections.abc import Sequence
from typing import Any, get_args

import msgspec

from agent_tuning.quality.decontamination import ContaminationFilter, ProtectedQuery
from agent_tuning.records import Call, Tool
from agent_tuning.synthesis.value_pools import PeopleConfig, ValuePools
from agent_tuning.synthesis.written_checks import ExampleChecks, find_decision
from agent_tuning.synthesis.written_examples import (
    Kind,
    NumberedExample,
    SpokenMessage,
    WrittenExample,
)
from agent_tuning.synthesis.written_groups import WrittenConfig

TEXT, NUMBER = {"type": "string"}, {"type": "number"}
PEOPLE = PeopleConfig(always=("name", "attendees"), sometimes=("sender",))


def copies_of_every_kind(number: int) -> dict[Kind, int]:
    return dict.fromkeys(get_args(Kind), number)


CONFIG = WrittenConfig(
    seed=1,
    folder="",
    language="en",
    near_duplicate=0.5,
    max_rejected=0.1,
    copies=copies_of_every_kind(3),
    people=PEOPLE,
    trajectories_per_prompt=4,
    validation=0.25,
)


def tool(name: str, required: Sequence[str], /, **properties: Any) -> Tool:
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return Tool(name, f"{name}.", schema)


TOOLS = (
    tool("get_price", ["product"], product=TEXT, quantity={"type": "integer"}),
    tool("check_stock", ["product"], product=TEXT, store=TEXT),
    tool("search", ["keyword"], keyword=TEXT, max_price=NUMBER),
    tool("track_order", ["order_id"], order_id=TEXT),
    tool("checkout", ["address"], address=TEXT, delivery={**TEXT, "enum": ["standard", "express"]}),
    tool("lookup", ["name"], name=TEXT),
    tool("inbox", ["sender"], sender=TEXT, unread={"type": "boolean"}),
    tool("send", ["recipients", "subject"], recipients={"type": "array", "items": TEXT},
         subject=TEXT),
    tool("plan_call", ["attendees", "time"], attendees={"type": "array", "items": TEXT}, time=TEXT,
         minutes={"type": "integer"}),
)  # fmt: skip


def write_example(
    query: str,
    *calls: tuple[str, dict[str, Any]],
    kind: str = "",
    thought: str = "",
    text: str = "",
    history: Sequence[str] = (),
) -> WrittenExample:
    """An example; its kind and thought follow from the calls unless they are given."""
    kind = kind or ("call" if len(calls) == 1 else "multi" if calls else "not_requested")
    roles = ("user", "assistant")
    return msgspec.convert(
        {
            "query": query,
            "kind": kind,
            "decision": find_decision(kind),
            "thought": thought or "I should do it.",
            "calls": [Call(name, arguments) for name, arguments in calls],
            "text": "" if calls else text or "All right.",
            "history": [SpokenMessage(roles[n % 2], said) for n, said in enumerate(history)],  # type: ignore[arg-type]
        },
        WrittenExample,
        from_attributes=True,
    )


def price(product: str, **more: Any) -> tuple[str, dict[str, Any]]:
    return "get_price", {"product": product, **more}


# What the pools hold: every kind has several values.
OTHERS = (
    write_example("Cost of the Orvel kettle?", price("Orvel kettle")),
    write_example("Tell me the price of the Abbot armchair.", price("Abbot armchair")),
    write_example("9 Pell & Co trays, how much?", price("Pell & Co trays", quantity=9)),
    write_example("Is the Tarn desk fan in at Whitby?",
                  ("check_stock", {"product": "Tarn desk fan", "store": "Whitby"})),
    write_example("Stock of the Zeal lamp in Cork, please",
                  ("check_stock", {"product": "Zeal lamp", "store": "Cork"})),
    write_example("Any wool rugs under 45?", ("search", {"keyword": "wool rugs", "max_price": 45})),
    write_example("Show me brass hooks", ("search", {"keyword": "brass hooks"})),
    write_example("A garden hose for at most 8.5 would do.",
                  ("search", {"keyword": "garden hose", "max_price": 8.5})),
    write_example("Where is K48213?", ("track_order", {"order_id": "K48213"})),
    write_example("How far has parcel B40971 come?", ("track_order", {"order_id": "B40971"})),
    write_example("Ship it to 4 Tern Court, Leeds, express",
                  ("checkout", {"address": "4 Tern Court, Leeds", "delivery": "express"})),
    write_example("Order it all to 12 Mill Bank.", ("checkout", {"address": "12 Mill Bank"})),
    write_example("Phone number of Priya Nair?", ("lookup", {"name": "Priya Nair"})),
    write_example("I need the number of Hugo Barrand.", ("lookup", {"name": "Hugo Barrand"})),
    write_example("Anything unread from Castle Motors?",
                  ("inbox", {"sender": "Castle Motors", "unread": True})),
    write_example("Look for mails by Priya Stone", ("inbox", {"sender": "Priya Stone"})),
    write_example("Mails of Pell Dental, please", ("inbox", {"sender": "Pell Dental"})),
    write_example("Mail ana@corvel.example, subject Kiln rota",
                  ("send", {"recipients": ["ana@corvel.example"], "subject": "Kiln rota"})),
    write_example("Send bo@tern.example a note called Leak again",
                  ("send", {"recipients": ["bo@tern.example"], "subject": "Leak again"})),
    write_example("Call with Odile and Max at 10:15 for 20 minutes",
                  ("plan_call", {"attendees": ["Odile", "Max"], "time": "10:15", "minutes": 20})),
    write_example("Plan a call with Freya at 16:40, 35 minutes long",
                  ("plan_call", {"attendees": ["Freya"], "time": "16:40", "minutes": 35})),
    write_example("Freya wants to talk at 09:30.",
                  ("plan_call", {"attendees": ["Freya"], "time": "09:30"})),
)  # fmt: skip


def build_checks(*protected: str) -> ExampleChecks:
    queries = [ProtectedQuery(query, "task", ("get_price",)) for query in protected]
    return ExampleChecks(TOOLS, ContaminationFilter(queries, 0.7))


def build_pools(*more: WrittenExample) -> ValuePools:
    return ValuePools([*OTHERS, *more], build_checks(), PEOPLE)


def number_examples(*examples: WrittenExample, voice: str = "plain") -> list[NumberedExample]:
    return [NumberedExample(f"{voice}.{n}", example) for n, example in enumerate(examples, 1)]
