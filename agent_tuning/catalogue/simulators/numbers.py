"""Arithmetic on whole numbers and lists of numbers, exact or rounded to four digits."""

from math import gcd, sqrt
from statistics import fmean, median

from agent_tuning.records import Json

LARGEST = 10**12  # a million divisions: a model may ask for any number


def compute_mean(numbers: list[float]) -> dict[str, Json]:
    return {"mean": round(fmean(numbers), 4), "median": median(numbers), "count": len(numbers)}


def greatest_common_divisor(numbers: list[int]) -> dict[str, Json]:
    return {"gcd": gcd(*numbers)}


def find_prime_factors(number: int) -> dict[str, Json]:
    """With multiplicity, smallest first; `factors` are written as a product."""
    if not 2 <= number <= LARGEST:
        raise ValueError(f"{number}: expected 2 to {LARGEST}")
    factors, divisor = [], 2
    while divisor**2 <= number:
        if number % divisor:
            divisor += 1
        else:
            factors.append(divisor)
            number //= divisor
    factors.append(number)
    return {
        "factors": " x ".join(map(str, factors)),
        "count": len(factors),
        "prime": len(factors) == 1,
    }


def solve_quadratic(a: float, b: float, c: float) -> dict[str, Json]:
    """The real roots of ax² + bx + c, smallest first."""
    if a == 0:
        raise ValueError("a is 0: expected a quadratic equation")
    discriminant = b * b - 4 * a * c
    if discriminant < 0:
        return {"roots": [], "discriminant": discriminant}
    roots = {round((-b + sign * sqrt(discriminant)) / (2 * a), 4) for sign in (-1, 1)}
    return {"roots": sorted(roots), "discriminant": discriminant}


TOOLS = (compute_mean, greatest_common_divisor, find_prime_factors, solve_quadratic)
