"""A small encyclopedia: articles in two languages that link to each other."""

from collections import deque
from typing import NamedTuple

from agent_tuning.records import Json


class Article(NamedTuple):
    en: str
    zh: str
    topics: tuple[str, ...]
    summary_en: str
    summary_zh: str
    links: tuple[str, ...]

    def title(self, chinese: bool) -> str:
        return self.zh if chinese else self.en


ARTICLES = tuple(
    Article(en, zh, tuple(topics.split()), summary_en, summary_zh, tuple(links.split("; ")))
    for en, zh, topics, summary_en, summary_zh, links in (
        (
            *("Marie Curie", "居里夫人", "physics chemistry"),
            *("Physicist who discovered radium.", "发现镭的物理学家。"),
            "Radium; Nobel Prize; Paris",
        ),
        (
            *("Albert Einstein", "爱因斯坦", "physics"),
            *("Physicist who developed relativity.", "提出相对论的物理学家。"),
            "Relativity; Nobel Prize; Isaac Newton",
        ),
        (
            *("Isaac Newton", "牛顿", "physics mathematics"),
            *("Physicist who described gravity.", "描述万有引力的物理学家。"),
            "Gravity; London; Galileo Galilei",
        ),
        (
            *("Galileo Galilei", "伽利略", "astronomy physics"),
            *("Astronomer who found moons of Jupiter.", "发现木星卫星的天文学家。"),
            "Jupiter; Telescope; Rome",
        ),
        (
            *("Charles Darwin", "达尔文", "biology"),
            *("Naturalist who explained evolution.", "阐明进化的博物学家。"),
            "Evolution; London",
        ),
        (
            *("Ada Lovelace", "阿达·洛芙莱斯", "computing mathematics"),
            *("Author of an early computer program.", "早期计算机程序的作者。"),
            "Analytical Engine; London",
        ),
        (
            *("Alan Turing", "图灵", "computing mathematics"),
            *("Founder of computer science.", "计算机科学的奠基人。"),
            "Turing Machine; London",
        ),
        (
            *("Leonardo da Vinci", "达·芬奇", "painting"),
            *("Painter of the Mona Lisa.", "《蒙娜丽莎》的画家。"),
            "Mona Lisa; Rome",
        ),
        (
            *("Vincent van Gogh", "梵高", "painting"),
            *("Dutch painter of The Starry Night.", "画了《星夜》的荷兰画家。"),
            "The Starry Night; Paris",
        ),
        (
            *("Mozart", "莫扎特", "music"),
            *("Composer of The Magic Flute.", "《魔笛》的作曲家。"),
            "Vienna; London",
        ),
        (
            *("Beethoven", "贝多芬", "music"),
            *("Composer of nine symphonies.", "写了九部交响曲的作曲家。"),
            "Vienna; Mozart",
        ),
        (
            *("Li Bai", "李白", "poetry"),
            *("Poet of the Tang dynasty.", "唐代诗人。"),
            "Tang Dynasty; Du Fu",
        ),
        (
            *("Du Fu", "杜甫", "poetry"),
            *("Poet who lived in Chengdu for years.", "曾居成都的诗人。"),
            "Tang Dynasty; Li Bai",
        ),
        (
            *("Zhang Heng", "张衡", "astronomy mathematics"),
            *("Astronomer who built a seismoscope.", "造出地动仪的天文学家。"),
            "Han Dynasty",
        ),
        (
            *("Radium", "镭", "chemistry"),
            *("A radioactive metal.", "一种放射性金属。"),
            "Marie Curie",
        ),
        (
            *("Nobel Prize", "诺贝尔奖", "physics chemistry"),
            *("Yearly award given in Stockholm and Oslo.", "每年在斯德哥尔摩和奥斯陆颁发的奖。"),
            "Marie Curie; Albert Einstein",
        ),
        (
            *("Relativity", "相对论", "physics"),
            *("Theory of space, time and gravity.", "关于时空和引力的理论。"),
            "Gravity; Albert Einstein",
        ),
        (
            *("Gravity", "引力", "physics"),
            *("Attraction between masses.", "质量之间的吸引。"),
            "Isaac Newton; Jupiter",
        ),
        (
            *("Telescope", "望远镜", "astronomy"),
            *("Instrument for seeing distant things.", "观察远处物体的仪器。"),
            "Galileo Galilei; Jupiter",
        ),
        (
            *("Jupiter", "木星", "astronomy"),
            *("Largest planet of the solar system.", "太阳系最大的行星。"),
            "Galileo Galilei; Gravity",
        ),
        (
            *("Evolution", "进化论", "biology"),
            *("Change of species over generations.", "物种世代间的变化。"),
            "Charles Darwin; DNA",
        ),
        (
            *("DNA", "脱氧核糖核酸", "biology chemistry"),
            *("Molecule that carries genes.", "携带基因的分子。"),
            "Evolution",
        ),
        (
            *("Analytical Engine", "分析机", "computing"),
            *("Mechanical computer that was never finished.", "未完成的机械计算机。"),
            "Ada Lovelace",
        ),
        (
            *("Turing Machine", "图灵机", "computing mathematics"),
            *("Abstract model of a computer.", "计算机的抽象模型。"),
            "Alan Turing",
        ),
        (
            *("Mona Lisa", "蒙娜丽莎", "painting"),
            *("Portrait that hangs in the Louvre.", "藏于卢浮宫的肖像画。"),
            "Leonardo da Vinci; Louvre",
        ),
        (
            *("Louvre", "卢浮宫", "architecture painting"),
            *("Art museum in Paris.", "巴黎的艺术博物馆。"),
            "Paris; Mona Lisa",
        ),
        (
            *("Eiffel Tower", "埃菲尔铁塔", "architecture"),
            *("Iron tower built in 1889.", "建于1889年的铁塔。"),
            "Paris",
        ),
        (
            *("The Starry Night", "星夜", "painting"),
            *("Painting of a swirling night sky.", "描绘旋转夜空的画作。"),
            "Vincent van Gogh",
        ),
        (
            *("Paris", "巴黎", "architecture"),
            *("Capital of France.", "法国首都。"),
            "Louvre; Eiffel Tower; London",
        ),
        (
            *("London", "伦敦", "architecture"),
            *("Capital of the United Kingdom.", "英国首都。"),
            "Paris; Charles Darwin",
        ),
        (
            *("Vienna", "维也纳", "music architecture"),
            *("Capital of Austria.", "奥地利首都。"),
            "Mozart; Beethoven",
        ),
        (
            *("Rome", "罗马", "architecture"),
            *("Capital of Italy.", "意大利首都。"),
            "Silk Road; Galileo Galilei",
        ),
        (
            *("Silk Road", "丝绸之路", "trade"),
            *("Old trade routes between China and Rome.", "中国与罗马之间的古商路。"),
            "Han Dynasty; Tang Dynasty; Rome",
        ),
        (
            *("Han Dynasty", "汉朝", "history"),
            *("Chinese dynasty from 202 BC.", "公元前202年建立的朝代。"),
            "Zhang Heng; Silk Road",
        ),
        (
            *("Tang Dynasty", "唐朝", "poetry history"),
            *("Chinese dynasty from 618.", "618年建立的朝代。"),
            "Li Bai; Du Fu; Silk Road",
        ),
    )
)
TOPICS = {
    "物理": "physics",
    "化学": "chemistry",
    "绘画": "painting",
    "音乐": "music",
    "计算机": "computing",
    "生物": "biology",
    "诗歌": "poetry",
    "数学": "mathematics",
    "天文": "astronomy",
    "建筑": "architecture",
}
BY_TITLE = {title.casefold(): a for a in ARTICLES for title in (a.en, a.zh)}
NEIGHBOURS = {
    a.en: [b.en for b in ARTICLES if b.en in a.links or a.en in b.links] for a in ARTICLES
}


def _titles(names: list[str], chinese: bool) -> list[str]:
    return [BY_TITLE[name.casefold()].title(chinese) for name in names]


def _path(source: str, target: str) -> list[str]:
    """The shortest chain of links, both ends included; empty if there is none."""
    paths = deque([[source]])
    visited = {source}
    while paths:
        path = paths.popleft()
        if path[-1] == target:
            return path
        for name in NEIGHBOURS[path[-1]]:
            if name not in visited:
                visited.add(name)
                paths.append([*path, name])
    return []


def search_wiki(topic: str, limit: int = 3) -> dict[str, Json]:
    key = TOPICS.get(topic, topic.casefold())
    titles = [
        a.title(not topic.isascii())
        for a in ARTICLES
        if key in a.topics or key in a.summary_en.casefold() or key in a.summary_zh
    ]
    return {"first": titles[0] if titles else "", "titles": titles[:limit], "total": len(titles)}


def get_wiki_summary(title: str) -> dict[str, Json]:
    article = BY_TITLE.get(title.casefold())
    if article is None:
        return {"title": title, "summary": "no such article"}
    chinese = not title.isascii()
    summary = article.summary_zh if chinese else article.summary_en
    return {"title": article.title(chinese), "summary": summary}


def get_wiki_links(title: str) -> dict[str, Json]:
    article = BY_TITLE.get(title.casefold())
    links = _titles(list(article.links), not title.isascii()) if article else []
    return {"count": len(links), "first": links[0] if links else "", "links": links}


def find_relation(source: str, target: str) -> dict[str, Json]:
    start, end = BY_TITLE.get(source.casefold()), BY_TITLE.get(target.casefold())
    path = _path(start.en, end.en) if start and end else []
    names = _titles(path, not (source + target).isascii())
    return {"steps": max(len(names) - 1, 0), "via": names[1] if names[1:] else "", "path": names}


TOOLS = (search_wiki, get_wiki_summary, get_wiki_links, find_relation)
