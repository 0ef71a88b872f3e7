"""A newspaper's archive in two languages: two stories a topic, one local and one from abroad."""

from typing import NamedTuple

from agent_tuning.catalogue.simulators.world import Refused
from agent_tuning.records import Json


class Story(NamedTuple):
    number: int
    topic: tuple[str, str]  # en, zh
    region: str
    headline: tuple[str, str]
    body: tuple[str, str]


FOOTBALL, SPACE, FARMING = ("football", "足球"), ("space", "航天"), ("farming", "农业")
MUSIC, HEALTH, TRAINS = ("music", "音乐"), ("health", "健康"), ("railways", "铁路")
ENERGY, SCHOOLS = ("energy", "能源"), ("schools", "教育")
STORIES = (
    Story(101, FOOTBALL, "local",
          ("Rovers win the county cup", "流浪者队夺得郡杯"),
          ("A late goal decided the final.", "决赛靠终场前一球定胜负。")),
    Story(102, FOOTBALL, "world",
          ("Women's league adds two clubs", "女足联赛增加两支球队"),
          ("The season starts in August.", "新赛季八月开始。")),
    Story(103, SPACE, "local",
          ("Village opens an observatory", "村里建成天文台"),
          ("Visitors may come on Fridays.", "每周五对游客开放。")),
    Story(104, SPACE, "world",
          ("Probe reaches a distant comet", "探测器抵达遥远彗星"),
          ("It took nine years to get there.", "路上花了九年。")),
    Story(105, FARMING, "local",
          ("Apple harvest is the best in years", "苹果迎来多年最好收成"),
          ("Rain came at the right time.", "雨水来得正是时候。")),
    Story(106, FARMING, "world",
          ("Rice prices fall after a wet spring", "春雨充沛，米价回落"),
          ("Traders expect calm markets.", "商家预计市场平稳。")),
    Story(107, MUSIC, "local",
          ("Choir looks for new tenors", "合唱团招募男高音"),
          ("Rehearsals are on Wednesdays.", "每周三排练。")),
    Story(108, MUSIC, "world",
          ("Lost piano sonata is found", "失传钢琴奏鸣曲重见天日"),
          ("It lay in a castle library.", "手稿藏在一座城堡里。")),
    Story(109, HEALTH, "local",
          ("Hospital shortens waiting times", "医院缩短候诊时间"),
          ("Patients now wait two hours.", "现在平均等两小时。")),
    Story(110, HEALTH, "world",
          ("Malaria cases drop by a third", "疟疾病例减少三成"),
          ("Nets and vaccines helped.", "蚊帐和疫苗起了作用。")),
    Story(111, TRAINS, "local",
          ("Old station gets a new roof", "老车站换新屋顶"),
          ("Work ends before winter.", "工程入冬前完工。")),
    Story(112, TRAINS, "world",
          ("Night train links five capitals", "夜行列车连接五国首都"),
          ("Tickets sold out in a day.", "车票一天售罄。")),
    Story(113, ENERGY, "local",
          ("Solar park approved by council", "太阳能电站获批"),
          ("It will power two thousand homes.", "可供两千户用电。")),
    Story(114, ENERGY, "world",
          ("Wind overtakes coal for the first time", "风电首次超过煤电"),
          ("Costs have halved since 2015.", "成本自2015年减半。")),
    Story(115, SCHOOLS, "local",
          ("Pupils plant a thousand trees", "学生种下一千棵树"),
          ("Each class cares for one row.", "每个班照看一排。")),
    Story(116, SCHOOLS, "world",
          ("More children learn to code", "更多孩子学编程"),
          ("Half of them start at nine.", "一半人九岁开始。")),
)  # fmt: skip
PREFIXES = ("en", "zh")
BY_ID = {
    f"{prefix}-{story.number}": (story, language)
    for language, prefix in enumerate(PREFIXES)
    for story in STORIES
}


def get_headlines(topic: str, region: str = "") -> dict[str, Json]:
    """The stories about a topic, of one region or of both; in the topic's language."""
    stories = [
        (name, story.headline[language])
        for name, (story, language) in BY_ID.items()
        if topic.casefold() == story.topic[language] and region in ("", story.region)
    ]
    name, headline = stories[0] if stories else ("", "")
    return {"count": len(stories), "article_id": name, "headline": headline}


def read_article(article_id: str) -> dict[str, Json]:
    if article_id not in BY_ID:
        raise Refused(f"no article {article_id}")
    story, language = BY_ID[article_id]
    return {"headline": story.headline[language], "body": story.body[language]}


TOOLS = (get_headlines, read_article)
