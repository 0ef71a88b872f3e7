"""Measures: lengths, weights, temperatures and the body mass index."""

from agent_tuning.records import Json

METERS = {
    "inch": 0.0254,
    "foot": 0.3048,
    "yard": 0.9144,
    "mile": 1609.344,
    "centimeter": 0.01,
    "meter": 1.0,
    "kilometer": 1000.0,
}
GRAMS = {
    "ounce": 28.349523125,
    "pound": 453.59237,
    "stone": 6350.29318,
    "gram": 1.0,
    "kilogram": 1000.0,
    "tonne": 1000000.0,
}
# kelvin = (degrees + offset) * factor
KELVIN = {"celsius": (273.15, 1.0), "fahrenheit": (459.67, 5 / 9), "kelvin": (0.0, 1.0)}


def _scaled(value: float, sizes: dict[str, float], from_unit: str, to_unit: str) -> dict[str, Json]:
    for unit in (from_unit, to_unit):
        if unit not in sizes:
            raise ValueError(f"no unit {unit!r}: expected one of {', '.join(sizes)}")
    return {"result": float(f"{value * sizes[from_unit] / sizes[to_unit]:.5g}"), "unit": to_unit}


def convert_length(value: float, from_unit: str, to_unit: str) -> dict[str, Json]:
    return _scaled(value, METERS, from_unit, to_unit)


def convert_weight(value: float, from_unit: str, to_unit: str) -> dict[str, Json]:
    return _scaled(value, GRAMS, from_unit, to_unit)


def convert_temperature(value: float, from_unit: str, to_unit: str) -> dict[str, Json]:
    for unit in (from_unit, to_unit):
        if unit not in KELVIN:
            raise ValueError(f"no unit {unit!r}: expected one of {', '.join(KELVIN)}")
    offset, factor = KELVIN[from_unit]
    kelvin = (value + offset) * factor
    offset, factor = KELVIN[to_unit]
    return {"result": round(kelvin / factor - offset, 1), "unit": to_unit}


def calculate_bmi(weight_kg: float, height_cm: float) -> dict[str, Json]:
    bmi = round(weight_kg / (height_cm / 100) ** 2, 1)
    grades = ((18.5, "underweight"), (25, "normal"), (30, "overweight"))
    return {"bmi": bmi, "category": next((name for top, name in grades if bmi < top), "obese")}


TOOLS = (convert_length, convert_weight, convert_temperature, calculate_bmi)
