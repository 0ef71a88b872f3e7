"""Plane and solid figures; every result is rounded to two decimals."""

from math import hypot, pi

from agent_tuning.records import Json

LITERS = {"centimeter": 0.001, "inch": 0.016387064, "decimeter": 1.0}  # in a cube of that edge


def calculate_triangle_area(base: float, height: float) -> dict[str, Json]:
    return {"area": round(base * height / 2, 2)}


def get_hypotenuse(leg_a: float, leg_b: float) -> dict[str, Json]:
    return {"hypotenuse": round(hypot(leg_a, leg_b), 2)}


def measure_circle(radius: float, measure: str) -> dict[str, Json]:
    value = {"area": pi * radius**2, "circumference": 2 * pi * radius}[measure]
    return {"value": round(value, 2)}


def compute_box_volume(size: dict[str, float], unit: str = "centimeter") -> dict[str, Json]:
    volume = size["length"] * size["width"] * size["height"]
    return {"volume": volume, "liters": round(volume * LITERS[unit], 2)}


TOOLS = (calculate_triangle_area, get_hypotenuse, measure_circle, compute_box_volume)
