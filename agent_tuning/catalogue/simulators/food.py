"""Kitchens and restaurants: seeded recipes and tables, and calories from a table of foods."""

from agent_tuning.catalogue.simulators.world import draw, pick
from agent_tuning.records import Json

DISHES = ("Stew", "Salad", "Curry", "Soup", "Gratin", "Stir-fry")
STYLES = ("Rustic", "Spicy", "Creamy", "Simple", "Golden")
HOUSES = ("Olive Garden", "Red Lantern", "Casa Mia", "Blue Door", "Old Mill", "Green Table")

KCAL = {  # in 100 g
    word: kcal
    for en, zh, kcal in (
        ("rice", "米饭", 130),
        ("oats", "燕麦", 389),
        ("cheddar", "切达奶酪", 403),
        ("salmon", "三文鱼", 208),
        ("tofu", "豆腐", 76),
        ("almonds", "杏仁", 579),
        ("avocado", "牛油果", 160),
        ("lentils", "扁豆", 116),
        ("broccoli", "西兰花", 34),
        ("pasta", "意大利面", 158),
        ("yogurt", "酸奶", 61),
        ("chocolate", "巧克力", 546),
    )
    for word in (en, zh)
}


def find_recipe(
    ingredients: list[str], diet: str = "any", max_minutes: int | None = None
) -> dict[str, Json]:
    """A dish of the ingredients, ready in time if there is a limit."""
    kitchen = (*sorted(ingredients), diet)
    minutes = 20 + 5 * draw("minutes", *kitchen, below=9)
    dish = f"{pick(STYLES, 'style', *kitchen)} {pick(DISHES, 'dish', *kitchen)}"
    return {
        "recipe": dish,
        "minutes": minutes if max_minutes is None else min(minutes, max_minutes),
        "servings": 2 + draw("servings", *kitchen, below=5),
    }


def estimate_calories(food: str, grams: float) -> dict[str, Json]:
    """A dish outside the table has a seeded density."""
    density = KCAL.get(food.casefold(), 80 + draw("kcal", food, below=180))
    return {"kcal": round(density * grams / 100), "kcal_per_100g": density}


def recommend_restaurant(
    cuisine: str, district: str, outdoor_seating: bool = False
) -> dict[str, Json]:
    wish = (cuisine, district, outdoor_seating)
    return {
        "restaurant": pick(HOUSES, *wish),
        "rating": 3.5 + draw("rating", *wish, below=16) / 10,
        "price_level": 1 + draw("level", *wish, below=4),
    }


def book_table(restaurant: str, guests: int, time: str) -> dict[str, Json]:
    booking = (restaurant, guests, time)
    return {
        "confirmation": f"T{1000 + draw(*booking, below=9000)}",
        "table": 1 + draw("table", *booking, below=30),
    }


TOOLS = (find_recipe, estimate_calories, recommend_restaurant, book_table)
