"""A seeded online shop: a product has one price and a stock, an order one way to its buyer."""

from agent_tuning.catalogue.simulators.world import draw, pick
from agent_tuning.records import Json

BRANDS = ("Nova", "Lumo", "Arko", "Vela", "Tindra", "Zeno")
STATUSES = ("packed", "shipped", "in transit", "out for delivery")
CARRIERS = ("DHL", "UPS", "FedEx", "SF Express")


def price_in_cents(product: str) -> int:
    """The price of one piece."""
    return 899 + 50 * draw("price", product, below=400)


def search_products(keyword: str, max_price: float | None = None) -> dict[str, Json]:
    """The best match; with a limit, the most expensive one within it."""
    space = " " if keyword.isascii() else ""
    shelf = {f"{brand}{space}{keyword}": 0.0 for brand in BRANDS}
    shelf = {product: price_in_cents(product) / 100 for product in shelf}
    if max_price is None:
        fitting = shelf
        product = pick(tuple(shelf), "best", keyword)
    else:
        fitting = {product: price for product, price in shelf.items() if price <= max_price}
        product = max(fitting, key=lambda name: fitting[name], default="")
    return {"product": product, "price": shelf.get(product), "found": len(fitting)}


def get_product_price(product: str, quantity: int = 1) -> dict[str, Json]:
    price = price_in_cents(product)
    return {"price": price * quantity / 100, "unit_price": price / 100, "currency": "USD"}


def check_stock(product: str, store: str = "online") -> dict[str, Json]:
    pieces = max(0, draw("stock", product, store, below=40) - 6)
    return {"pieces": pieces, "available": pieces > 0, "store": store}


def track_order(order_id: str) -> dict[str, Json]:
    step = draw("status", order_id, below=len(STATUSES))
    days = len(STATUSES) - 1 - step + draw("delay", order_id, below=2)
    return {
        "status": STATUSES[step],
        "carrier": pick(CARRIERS, "carrier", order_id),
        "days_left": days,
    }


TOOLS = (search_products, get_product_price, check_stock, track_order)
