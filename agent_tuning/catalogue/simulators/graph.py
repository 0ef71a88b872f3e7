"""A small knowledge graph of invented films: entities, typed relations from one to another, facts.

Entities have a name in each language; an answer is in the language of the question.
"""

from agent_tuning.catalogue.simulators.world import Refused
from agent_tuning.records import Json

NAMES = {  # en -> zh
    "The Glass Harbor": "玻璃港湾",
    "Northern Signal": "北方信号",
    "Paper Lanterns": "纸灯笼",
    "The Last Orchard": "最后的果园",
    "Silent Ferry": "无声渡轮",
    "Copper Moon": "铜月亮",
    "A Winter Map": "冬日地图",
    "Salt Road": "盐路",
    "River of Clocks": "钟表之河",
    "The Blue Stair": "蓝色阶梯",
    "Mara Lind": "玛拉·林德",
    "Tomas Veil": "托马斯·维尔",
    "Chen Yulan": "陈玉兰",
    "Idris Cole": "伊德里斯·科尔",
    "Petra Novik": "佩特拉·诺维克",
    "Hugo Faro": "雨果·法罗",
    "Aiko Mori": "森爱子",
    "Ben Sattler": "本·萨特勒",
    "Nora Blake": "诺拉·布莱克",
    "Felix Amari": "费利克斯·阿马里",
    "Sun Wei": "孙巍",
    "Greta Holm": "格蕾塔·霍姆",
    "Omar Reyes": "奥马尔·雷耶斯",
    "Lucy Tan": "谭露茜",
    "Dario Conti": "达里奥·孔蒂",
    "Ines Duarte": "伊内斯·杜阿尔特",
    "Kestrel Films": "红隼影业",
    "Lantern House": "灯屋影业",
    "Polar Pictures": "极光影业",
    "Ravenport": "渡鸦港",
    "Alden": "奥尔登",
    "Mirefield": "米尔菲尔德",
    "Suncrest": "晨冠城",
    "Tolvik": "托尔维克",
    "Castelmar": "卡斯特马尔",
    "Linqiao": "林桥",
    "Dunmore": "邓莫尔",
}
ROLES = ("director", "writer", "studio", "actor", "actor")
CAST = {
    "The Glass Harbor": ("Mara Lind", "Idris Cole", "Kestrel Films", "Nora Blake", "Omar Reyes"),
    "Northern Signal": ("Tomas Veil", "Petra Novik", "Polar Pictures", "Felix Amari", "Lucy Tan"),
    "Paper Lanterns": ("Chen Yulan", "Aiko Mori", "Lantern House", "Sun Wei", "Lucy Tan"),
    "The Last Orchard": ("Idris Cole", "Mara Lind", "Kestrel Films", "Greta Holm", "Dario Conti"),
    "Silent Ferry": ("Petra Novik", "Tomas Veil", "Polar Pictures", "Omar Reyes", "Ines Duarte"),
    "Copper Moon": ("Hugo Faro", "Ben Sattler", "Kestrel Films", "Nora Blake", "Felix Amari"),
    "A Winter Map": ("Aiko Mori", "Chen Yulan", "Lantern House", "Sun Wei", "Greta Holm"),
    "Salt Road": ("Ben Sattler", "Hugo Faro", "Polar Pictures", "Dario Conti", "Ines Duarte"),
    "River of Clocks": ("Mara Lind", "Chen Yulan", "Lantern House", "Omar Reyes", "Nora Blake"),
    "The Blue Stair": ("Hugo Faro", "Aiko Mori", "Kestrel Films", "Lucy Tan", "Felix Amari"),
}
FILM_FACTS = {  # year, running time, rating
    "The Glass Harbor": (1998, 112, 7.9),
    "Northern Signal": (2004, 97, 6.8),
    "Paper Lanterns": (2011, 104, 8.3),
    "The Last Orchard": (1987, 126, 8.1),
    "Silent Ferry": (2016, 89, 6.4),
    "Copper Moon": (2019, 141, 7.2),
    "A Winter Map": (1993, 108, 7.6),
    "Salt Road": (2008, 133, 8.6),
    "River of Clocks": (2022, 118, 7.0),
    "The Blue Stair": (2001, 94, 6.1),
}
BIRTHPLACES = {
    "Mara Lind": "Tolvik",
    "Tomas Veil": "Ravenport",
    "Chen Yulan": "Linqiao",
    "Idris Cole": "Dunmore",
    "Petra Novik": "Alden",
    "Hugo Faro": "Castelmar",
    "Aiko Mori": "Suncrest",
    "Ben Sattler": "Mirefield",
    "Nora Blake": "Ravenport",
    "Felix Amari": "Castelmar",
    "Sun Wei": "Linqiao",
    "Greta Holm": "Tolvik",
    "Omar Reyes": "Alden",
    "Lucy Tan": "Suncrest",
    "Dario Conti": "Castelmar",
    "Ines Duarte": "Mirefield",
}
HEADQUARTERS = {
    "Kestrel Films": "Ravenport",
    "Lantern House": "Linqiao",
    "Polar Pictures": "Tolvik",
}
POPULATIONS = {
    "Ravenport": 412000,
    "Alden": 87500,
    "Mirefield": 23800,
    "Suncrest": 156000,
    "Tolvik": 64200,
    "Castelmar": 231000,
    "Linqiao": 538000,
    "Dunmore": 19400,
}


def _edges() -> list[tuple[str, str, str]]:
    """Source, relation, target; in a fixed order."""
    edges = [(film, *edge) for film, cast in CAST.items() for edge in zip(ROLES, cast, strict=True)]
    edges += [(person, "birthplace", city) for person, city in BIRTHPLACES.items()]
    return edges + [(studio, "headquarters", city) for studio, city in HEADQUARTERS.items()]


EDGES = _edges()
FACTS: dict[str, dict[str, Json]] = {
    **{film: dict(zip(("year", "minutes", "rating"), facts, strict=True))
       for film, facts in FILM_FACTS.items()},
    **{city: {"population": people} for city, people in POPULATIONS.items()},
}  # fmt: skip
KNOWN = {name.casefold(): en for en, zh in NAMES.items() for name in (en, zh)}


def _known(name: str) -> str:
    if name.casefold() not in KNOWN:
        raise Refused(f"no entity {name}")
    return KNOWN[name.casefold()]


def _list_entities(entities: list[str], question: str) -> dict[str, Json]:
    """The entities, named in the language of the question."""
    names = entities if question.isascii() else [NAMES[entity] for entity in entities]
    return {"count": len(names), "first": names[0] if names else "", "entities": names}


def get_relations(entity: str) -> dict[str, Json]:
    """The names of the relations that start at an entity."""
    source = _known(entity)
    names = list(dict.fromkeys(name for start, name, _ in EDGES if start == source))
    return {"count": len(names), "first": names[0] if names else "", "relations": names}


def follow_relation(entity: str, relation: str) -> dict[str, Json]:
    edge = (_known(entity), relation)
    return _list_entities([end for start, name, end in EDGES if (start, name) == edge], entity)


def find_sources(relation: str, target: str) -> dict[str, Json]:
    """`follow_relation` the other way round."""
    edge = (relation, _known(target))
    return _list_entities([start for start, name, end in EDGES if (name, end) == edge], target)


def find_common(first: str, second: str) -> dict[str, Json]:
    """What both are related to, whichever way the relation runs."""
    near = [_neighbours(_known(entity)) for entity in (first, second)]
    return _list_entities([name for name in NAMES if name in near[0] & near[1]], first + second)


def _neighbours(entity: str) -> set[str]:
    ends = [(start, end) for start, _, end in EDGES if entity in (start, end)]
    return {name for pair in ends for name in pair} - {entity}


def get_attribute(entity: str, attribute: str) -> dict[str, Json]:
    facts = FACTS.get(_known(entity), {})
    if attribute not in facts:
        raise Refused(f"{entity} has no {attribute}")
    return {"value": facts[attribute]}


TOOLS = (get_relations, follow_relation, find_sources, find_common, get_attribute)
