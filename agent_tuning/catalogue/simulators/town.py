"""The web pages of an invented town, in two languages; what a search engine and a browser see."""

from typing import NamedTuple

HOST = "town.example"


class Page(NamedTuple):
    """`hint` is the path of the page that the text recommends."""

    path: str
    title: tuple[str, str]  # en, zh; also the label of the links to it
    text: tuple[str, str]
    hint: str


PAGES = (
    Page("home", ("Home", "首页"),
         ("Welcome to Greenfield, see the town map.", "欢迎来到绿野镇，请看城区地图。"), "park"),
    Page("library", ("Library", "图书馆"),
         ("Story hour every Monday at four.", "每周一下午四点有故事会。"), "school"),
    Page("museum", ("Museum", "博物馆"),
         ("The dinosaur show runs until June.", "恐龙展览持续到六月。"), "library"),
    Page("pool", ("Pool", "游泳馆"),
         ("Swimming lessons cost nine dollars.", "游泳课每次九美元。"), "clinic"),
    Page("theatre", ("Theatre", "剧院"),
         ("Puppet theatre on Saturdays at two.", "周六两点有木偶戏。"), "parking"),
    Page("market", ("Market", "集市"),
         ("The flower market opens at seven.", "花卉市场七点开门。"), "parking"),
    Page("transit", ("Transit", "公交"),
         ("Night buses leave the station hourly.", "夜班公交每小时一班。"), "market"),
    Page("park", ("Park", "公园"),
         ("Boat rental is closed on Tuesdays.", "游船租赁周二休息。"), "museum"),
    Page("clinic", ("Clinic", "诊所"),
         ("Flu shots are free this month.", "流感疫苗本月免费。"), "transit"),
    Page("school", ("School", "学校"),
         ("Evening classes start in October.", "夜校课程十月开始。"), "pool"),
    Page("parking", ("Parking", "停车场"),
         ("Bike parking is behind the station.", "自行车停放在车站后面。"), "transit"),
    Page("jobs", ("Jobs", "招聘"),
         ("Summer jobs are posted in May.", "暑期工作五月公布。"), "school"),
)  # fmt: skip


def page_address(page: Page, language: int) -> str:
    """`language`: 0 en, 1 zh."""
    return f"{HOST}/{'zh/' * language}{page.path}"


BY_PATH = {page.path: page for page in PAGES}
BY_ADDRESS = {
    page_address(page, language): (page, language) for page in PAGES for language in (0, 1)
}
BY_LABEL = {page.title[language]: (page, language) for page in PAGES for language in (0, 1)}
