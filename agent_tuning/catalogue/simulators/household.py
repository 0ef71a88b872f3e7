"""A flat and the robot in it: it starts at the table and uses what is within its reach.

Things and places have a Chinese name too; observations use the English one.
"""

import random
from itertools import cycle
from typing import ClassVar

from agent_tuning.catalogue.simulators.world import Refused, draw
from agent_tuning.records import Json

DISHES = {
    "mug": "马克杯", "plate": "盘子", "spoon": "勺子", "bowl": "碗", "fork": "叉子",
    "pan": "平底锅", "knife": "餐刀", "teapot": "茶壶", "tray": "托盘", "jug": "水罐",
}  # fmt: skip
MEALS = {
    "apple": "苹果", "potato": "土豆", "egg": "鸡蛋", "tomato": "西红柿", "bread": "面包",
    "soup": "汤", "pizza": "披萨", "rice": "米饭", "pie": "馅饼", "tea": "茶",
}  # fmt: skip
STORED = ("milk", "butter", "cheese", "ham", "pasta", "beans", "cake", "stew", "pudding", "waffle")
BELONGINGS = (
    "key", "book", "lamp", "pillow", "laptop", "pencil", "vase", "candle", "newspaper", "soap",
    "bottle", "umbrella", "scarf", "notebook", "watch", "phone", "camera", "brush", "ball", "hat",
    "flute", "wallet", "kite", "map",
)  # fmt: skip
SURFACES = {
    "counter": "台面", "desk": "书桌", "shelf": "架子", "sofa": "沙发", "bed": "床",
    "windowsill": "窗台", "bench": "长凳", "nightstand": "床头柜", "dresser": "梳妆台",
    "chair": "椅子",
}  # fmt: skip
LARDERS = {
    "fridge": "冰箱", "cupboard": "橱柜", "pantry": "食品柜", "freezer": "冷冻柜",
    "hamper": "野餐篮", "lunchbox": "饭盒", "oven": "烤箱", "cooler": "保温箱",
}  # fmt: skip
CONTAINERS = {
    "drawer": "抽屉", "wardrobe": "衣柜", "box": "盒子", "chest": "木箱", "cabinet": "柜子",
    "safe": "保险箱", "suitcase": "行李箱", "toolbox": "工具箱", "backpack": "背包",
    "trunk": "皮箱",
}  # fmt: skip
CLOSING = LARDERS | CONTAINERS
PLACES = {"table": "桌子"} | SURFACES | CLOSING
ENGLISH = {chinese: english for english, chinese in (DISHES | MEALS | PLACES).items()}
HAND = "hand"
MAX_VISIBLE = 4  # a longer list of names would cost more tokens than it tells


class Household:
    """The seed deals out what is put away; dishes and meals stand on the table."""

    TOOLS: ClassVar[tuple[str, ...]] = (
        "go_to",
        "open_container",
        "take_object",
        "put_object",
        "heat_object",
        "cool_object",
        "clean_object",
    )

    def __init__(self, seed: str) -> None:
        self.at = "table"
        self.opened: set[str] = set()
        self.clean: set[str] = set()
        self.warmth: dict[str, str] = {}
        self.place_of = dict.fromkeys([*DISHES, *MEALS], "table")
        rng = random.Random(f"household:{seed}")
        for things, places in ((STORED, LARDERS), (BELONGINGS, SURFACES | CONTAINERS)):
            dealt = rng.sample(things, len(things))
            self.place_of |= dict(zip(dealt, cycle(places), strict=False))

    def go_to(self, place: str) -> dict[str, Json]:
        self.at = _known(place, PLACES, "place")
        return {"place": self.at, "open": self._open(self.at), **self._view()}

    def open_container(self, container: str) -> dict[str, Json]:
        """Go there and open it."""
        name = _known(container, PLACES, "container")
        if self._open(name):
            raise Refused(f"the {name} is already open")
        self.at = name
        self.opened.add(name)
        return {"container": name, **self._view()}

    def take_object(self, object: str) -> dict[str, Json]:
        thing = self._reached(object)
        held = [name for name, place in self.place_of.items() if place == HAND]
        if held:
            raise Refused(f"the hand already holds the {held[0]}")
        place, self.place_of[thing] = self.place_of[thing], HAND
        return {"object": thing, "from": place}

    def put_object(self, object: str, place: str) -> dict[str, Json]:
        """Carry a thing within reach to a place."""
        thing, target = self._reached(object), _known(place, PLACES, "place")
        if not self._open(target):
            raise Refused(f"the {target} is closed")
        self.at = self.place_of[thing] = target
        return {"object": thing, "place": target}

    def heat_object(self, object: str) -> dict[str, Json]:
        return self._warmed(object, "hot")

    def cool_object(self, object: str) -> dict[str, Json]:
        return self._warmed(object, "cold")

    def clean_object(self, object: str) -> dict[str, Json]:
        thing = self._reached(object)
        if thing in self.clean:
            raise Refused(f"the {thing} is already clean")
        self.clean.add(thing)
        return {"object": thing, "state": "clean", "minutes": 1 + draw("clean", thing, below=4)}

    def state(self) -> dict[str, Json]:
        return {
            "at": self.at,
            "places": dict(sorted(self.place_of.items())),
            "open": sorted(self.opened),
            "clean": sorted(self.clean),
            "warmth": dict(sorted(self.warmth.items())),
        }

    def _open(self, place: str) -> bool:
        return place not in CLOSING or place in self.opened

    def _view(self) -> dict[str, Json]:
        """What lies open where the robot stands."""
        things = [name for name, place in self.place_of.items() if place == self.at]
        visible = things[:MAX_VISIBLE] if self._open(self.at) else []
        return {"sees": visible, "first": visible[0] if visible else ""}

    def _reached(self, name: str) -> str:
        """The thing of that name, in the hand or lying open where the robot stands."""
        thing = _known(name, self.place_of, "object")
        place = self.place_of[thing]
        if place != HAND and (place != self.at or not self._open(place)):
            raise Refused(f"no {thing} within reach")
        return thing

    def _warmed(self, name: str, warmth: str) -> dict[str, Json]:
        thing = self._reached(name)
        if thing in BELONGINGS:
            raise Refused(f"the {thing} is not food")
        if self.warmth.get(thing) == warmth:
            raise Refused(f"the {thing} is already {warmth}")
        self.warmth[thing] = warmth
        return {"object": thing, "state": warmth, "minutes": 2 + draw(warmth, thing, below=7)}


def _known(name: str, names: dict[str, str], what: str) -> str:
    english = ENGLISH.get(name, name)
    if english not in names:
        raise Refused(f"no {what} {name}")
    return english
