"""A shopping cart that a customer has begun to fill; prices are the shop's own."""

from typing import ClassVar

from agent_tuning.catalogue.simulators.shop import price_in_cents
from agent_tuning.catalogue.simulators.world import Refused, draw
from agent_tuning.records import Json

# From the last visit; model names, which are the same in every language.
BEGUN = ("Zeno S3", "Lumo K8", "Arko T4", "Vela P1", "Nova H7", "Tindra B2", "Zeno C5", "Lumo R6")
PERCENT_OFF = {
    "SAVE10": 10,
    "SPRING15": 15,
    "HELLO5": 5,
    "TEAM20": 20,
    "BOOKS8": 8,
    "EXTRA12": 12,
    "LUCKY7": 7,
    "SUN25": 25,
    "NIGHT30": 30,
    "FRIEND18": 18,
}
DELIVERY = {"standard": (0, 5), "express": (990, 1)}  # cents, days


class Cart:
    """The seed says how many pieces of each were in it already."""

    TOOLS: ClassVar[tuple[str, ...]] = (
        "add_to_cart",
        "remove_from_cart",
        "view_cart",
        "apply_coupon",
        "checkout",
    )

    def __init__(self, seed: str) -> None:
        self.pieces = {product: 1 + draw(seed, "begun", product, below=3) for product in BEGUN}
        self.coupon = ""
        self.orders: list[Json] = []

    def state(self) -> dict[str, Json]:
        return {"cart": dict(self.pieces), "coupon": self.coupon, "orders": list(self.orders)}

    def add_to_cart(self, product: str, quantity: int = 1) -> dict[str, Json]:
        self.pieces[product] = self.pieces.get(product, 0) + quantity
        return {"product": product, "pieces": self.pieces[product], "total": self._total()}

    def remove_from_cart(self, product: str) -> dict[str, Json]:
        """All its pieces."""
        if product not in self.pieces:
            raise Refused(f"{product} is not in the cart")
        del self.pieces[product]
        return {"removed": product, "products_left": len(self.pieces), "total": self._total()}

    def view_cart(self, min_price: float) -> dict[str, Json]:
        """The products whose single piece costs at least so much."""
        products = [
            product for product in self.pieces if price_in_cents(product) >= 100 * min_price
        ]
        most_expensive = max(products, key=price_in_cents, default="")
        return {"count": len(products), "dearest": most_expensive, "products": list(products)}

    def apply_coupon(self, code: str) -> dict[str, Json]:
        """One coupon at a time: a new one takes the place of the old."""
        if code not in PERCENT_OFF:
            raise Refused(f"no coupon {code}")
        self.coupon = code
        return {"percent_off": PERCENT_OFF[code], "total": self._total()}

    def checkout(self, address: str, delivery: str = "standard") -> dict[str, Json]:
        """Order what is in the cart; it and the coupon are used up."""
        if not self.pieces:
            raise Refused("the cart is empty")
        fee, days = DELIVERY[delivery]
        total = round(self._total() + fee / 100, 2)
        number = f"F{10000 + draw('order', address, total, len(self.orders), below=90000)}"
        self.orders.append(
            {"order_id": number, "address": address, "delivery": delivery, "total": total,
             "products": dict(self.pieces)}
        )  # fmt: skip
        self.pieces, self.coupon = {}, ""
        return {"order_id": number, "total": total, "days": days}

    def _total(self) -> float:
        """Dollars, after the coupon."""
        full = sum(price_in_cents(product) * pieces for product, pieces in self.pieces.items())
        return round(full * (100 - PERCENT_OFF.get(self.coupon, 0)) / 10000, 2)
