"""Worlds that calls change: later calls see it, refused ones say why, goals can be tested."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_tuning.catalogue.entry_records import LANGUAGES
from agent_tuning.catalogue.simulators import STATEFUL, World
from agent_tuning.catalogue.simulators.cart import BEGUN
from agent_tuning.records import Assistant, Call
from agent_tuning.synthesis.teachers import TrajectoryRequest
from tests.support import default_data

CALLS = [
    call
    for language in LANGUAGES
    for tool, scenario in default_data.CATALOGUE.cells()
    for turn in default_data.teacher()
    .write_positive(TrajectoryRequest(tool, scenario.name, "", 0), language)
    .turns
    if isinstance(turn, Assistant)
    for call in turn.calls
    if any(call.name in owner.TOOLS for owner in STATEFUL)
]

MAKE = Call("make_directory", {"path": "/srv/reports"})
MOVE = Call("move_file", {"path": "/home/ada/plan.txt", "folder": "/srv/reports"})
LOCK = Call("change_permissions", {"path": "/srv/reports/plan.txt", "mode": "400"})
KILL = Call("kill_process", {"pid": 1010})
ADD = Call("insert_row", {"table": "members", "name": "Uma Rao", "city": "Perth"})
BLOCK = Call("update_row", {"table": "members", "id": 21, "column": "status", "value": "blocked"})
ASK = Call("count_rows", {"table": "members", "column": "name", "value": "Uma Rao"})
DROP = Call("delete_row", {"table": "members", "id": 21})
TAKE = Call("take_object", {"object": "mug"})
OPEN = Call("open_container", {"container": "drawer"})
PUT = Call("put_object", {"object": "mug", "place": "drawer"})
WARM = Call("heat_object", {"object": "soup"})
WASH = Call("clean_object", {"object": "mug"})
TENT = Call("add_to_cart", {"product": "Arko tent", "quantity": 2})
NO_TENT = Call("remove_from_cart", {"product": "Arko tent"})
EMPTY = [Call("remove_from_cart", {"product": product}) for product in BEGUN]
ORDER = Call("checkout", {"address": "7 Mill Lane", "delivery": "express"})
VISIT = Call("open_page", {"url": "town.example/pool"})
NAME = Call("fill_field", {"field": "name", "text": "Kim Vale"})
SEND = Call("click_element", {"label": "Send"})
CLINIC = Call("click_element", {"label": "诊所"})
BACK = Call("go_back", {"steps": 1})


def observed(*calls: Call) -> list[dict]:
    """The observations of one exchange."""
    world = World()
    return [world.observe(call) for call in calls]


def after(*calls: Call, seed: str = "") -> dict:
    """The state that calls leave behind."""
    world = World(seed)
    for call in calls:
        world.observe(call)
    return world.state()


@pytest.mark.parametrize(
    ("calls", "last"),
    [
        ([MAKE], {"path": "/srv/reports", "created": True}),
        ([MAKE, MOVE, LOCK, LOCK], {"path": "/srv/reports/plan.txt", "mode": "400", "was": "400"}),
        ([Call("find_large_files", {"folder": "/backup"})],
         {"count": 0, "largest": "", "megabytes": 0}),
        ([Call("make_directory", {"path": "/new"}), Call("find_large_files", {"folder": "/new/"})],
         {"count": 0, "largest": "", "megabytes": 0}),
        ([ADD], {"id": 21, "status": "new"}),
        ([ADD, ASK], {"count": 1}),
        ([ADD, BLOCK], {"id": 21, "was": "new", "value": "blocked"}),
        ([ADD, DROP], {"name": "Uma Rao", "rows_left": 20}),
        ([ADD, DROP, ASK], {"count": 0}),
        ([ADD, DROP, ADD], {"id": 22, "status": "new"}),
        ([TAKE], {"object": "mug", "from": "table"}),
        ([Call("take_object", {"object": "马克杯"})], {"object": "mug", "from": "table"}),
        ([TAKE, OPEN, PUT], {"object": "mug", "place": "drawer"}),
        ([Call("go_to", {"place": "书桌"}), Call("go_to", {"place": "drawer"})],
         {"place": "drawer", "open": False, "sees": [], "first": ""}),
        ([*EMPTY[:7], Call("view_cart", {"min_price": 40})],
         {"count": 1, "dearest": "Lumo R6", "products": ["Lumo R6"]}),
        ([*EMPTY, Call("view_cart", {"min_price": 40})],
         {"count": 0, "dearest": "", "products": []}),
        ([VISIT, CLINIC],
         {"url": "town.example/zh/clinic", "title": "诊所", "text": "流感疫苗本月免费。",
          "see_also": "公交"}),
        ([VISIT, NAME, SEND], {"sent": 1, "url": "town.example/pool"}),
        ([VISIT, NAME, CLINIC, BACK, Call("fill_field", {"field": "phone", "text": "555"})],
         {"field": "phone", "text": "555", "filled": 1}),
    ],
)  # fmt: skip
def test_a_call_sees_what_the_calls_before_it_changed(calls, last):
    assert observed(*calls)[-1] == last


def test_an_ended_process_is_listed_no_more():
    ask = Call("list_processes", {"user": "ada"})
    first, killed, last = observed(ask, KILL, ask)
    assert (first["count"], killed["user"], last["count"]) == (3, "ada", 2)


def test_the_top_row_is_the_highest_of_all():
    for column, place in (("age", -2), ("balance", -1)):
        for table, rows in World().state()["Database"].items():
            [top] = observed(Call("top_row", {"table": table, "column": column}))
            assert top[column] == max(row[place] for row in rows)


@pytest.mark.parametrize(
    ("calls", "error"),
    [
        ([MOVE], "no folder /srv/reports"),
        ([MAKE, MAKE], "/srv/reports exists already"),
        ([MAKE, MOVE, MOVE], "no file /home/ada/plan.txt"),
        ([LOCK], "no file /srv/reports/plan.txt"),
        ([Call("make_directory", {"path": "/srv/reports/may"})], "no folder /srv/reports"),
        ([Call("change_permissions", {"path": "/home/ada/plan.txt", "mode": "rwx"})],
         "mode rwx: expected three digits from 0 to 7"),
        ([KILL, KILL], "no process 1010"),
        ([Call("list_processes", {"user": "nobody"})], "no processes of nobody"),
        ([Call("list_processes", {"user": "ada", "sort_by": "age"})], "cannot sort by age"),
        ([BLOCK], "no row 21 in members"),
        ([ADD, DROP, BLOCK], "no row 21 in members"),
        ([ADD, ADD], "Uma Rao is already in members"),
        ([Call("top_row", {"table": "planets", "column": "age"})], "no table planets"),
        ([Call("top_row", {"table": "members; DROP TABLE members", "column": "age"})],
         "no table members; DROP TABLE members"),
        ([Call("count_rows", {"table": "members", "column": "salary", "value": "1"})],
         "no column salary"),
        ([TAKE, PUT], "the drawer is closed"),
        ([OPEN, PUT], "no mug within reach"),
        ([OPEN, OPEN], "the drawer is already open"),
        ([TAKE, Call("take_object", {"object": "plate"})], "the hand already holds the mug"),
        ([WASH, WASH], "the mug is already clean"),
        ([WARM, WARM], "the soup is already hot"),
        ([Call("take_object", {"object": "milk"})], "no milk within reach"),
        ([Call("take_object", {"object": "unicorn"})], "no object unicorn"),
        ([Call("go_to", {"place": "moon"})], "no place moon"),
        ([TENT, NO_TENT, NO_TENT], "Arko tent is not in the cart"),
        ([Call("apply_coupon", {"code": "FREE99"})], "no coupon FREE99"),
        ([ORDER, ORDER], "the cart is empty"),
        ([Call("open_page", {"url": "town.example/zoo"})], "no page town.example/zoo"),
        ([Call("click_element", {"label": "Zoo"})], "nothing here is called Zoo"),
        ([NAME, SEND, SEND], "the form is empty"),
        ([NAME, Call("go_back", {"steps": 12})], "cannot go back 12 pages"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)  # fmt: skip
def test_a_call_that_cannot_be_done_says_why_and_changes_nothing(calls, error):
    assert observed(*calls)[-1] == {"error": error}
    assert after(*calls) == after(*calls[:-1])


@given(st.lists(st.sampled_from(CALLS)))
def test_calls_in_any_order_are_answered_and_leave_plain_json(calls):
    world = World()
    for call in calls:
        assert isinstance(world.observe(call), dict)
    assert msgspec.json.decode(msgspec.json.encode(world.state())) == world.state()


@pytest.mark.parametrize(
    ("calls", "state", "goal"),
    [
        ([MAKE, MOVE, LOCK],
         lambda world: world["OperatingSystem"]["files"]["/srv/reports/plan.txt"][1], "400"),
        ([ADD, BLOCK], lambda world: world["Database"]["members"][-1][:4],
         [21, "Uma Rao", "Perth", "blocked"]),
        ([TAKE, OPEN, PUT], lambda world: world["Household"]["places"]["mug"], "drawer"),
        ([*EMPTY, TENT, ORDER], lambda world: world["Cart"]["orders"][0]["products"],
         {"Arko tent": 2}),
        ([VISIT, NAME, SEND], lambda world: world["Browser"]["sent"],
         [{"url": "town.example/pool", "name": "Kim Vale"}]),
    ],
    ids=["operating_system", "database", "household", "cart", "browser"],
)  # fmt: skip
def test_the_right_order_reaches_the_goal_and_a_wrong_one_says_where_it_failed(calls, state, goal):
    assert state(after(*calls)) == goal
    assert after(*calls[::-1]) != after(*calls)
    assert any("error" in observation for observation in observed(*calls[::-1]))


def test_a_cart_costs_what_the_shop_asks_less_the_last_coupon_plus_the_fee():
    price = Call("get_product_price", {"product": "Arko tent", "quantity": 2})
    coupons = [Call("apply_coupon", {"code": code}) for code in ("NIGHT30", "SUN25")]
    priced, filled, _, reduced, order = observed(*EMPTY, price, TENT, *coupons, ORDER)[-5:]
    assert filled["total"] == priced["price"]
    assert (reduced["percent_off"], reduced["total"]) == (
        25,
        pytest.approx(0.75 * priced["price"], abs=0.005),
    )
    assert order["total"] == pytest.approx(reduced["total"] + 9.9)
    assert after(*EMPTY, TENT, *coupons, ORDER)["Cart"]["coupon"] == ""


def test_a_tool_that_only_looks_changes_nothing():
    looks = {"count_rows", "select_rows", "top_row", "find_large_files", "list_processes",
             "view_cart"}  # fmt: skip
    assert after(*(call for call in CALLS if call.name in looks)) == after()


def test_worlds_of_one_seed_are_alike_and_of_two_are_not():
    assert after(seed="a") == after(seed="a")
    first, second = after(seed="a"), after(seed="b")
    assert all(first[name] != second[name] for name in first)
