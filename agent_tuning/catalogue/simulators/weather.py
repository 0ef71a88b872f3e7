"""Weather of a seeded world: a city has a climate, a day has its own sky."""

from agent_tuning.catalogue.simulators.world import draw, pick
from agent_tuning.records import Json

SKIES = ("clear", "cloudy", "light rain", "heavy rain", "fog", "snow")


def _celsius(city: str, day: str) -> int:
    return draw("climate", city, below=28) - 3 + draw("day", city, day, below=9)


def get_weather_forecast(city: str, day: str) -> dict[str, Json]:
    low = _celsius(city, day)
    high = low + 4 + draw("span", city, day, below=6)
    return {"sky": pick(SKIES, "sky", city, day), "low": low, "high": high}


def get_current_weather(city: str, unit: str = "celsius") -> dict[str, Json]:
    celsius = _celsius(city, "now")
    degrees = celsius if unit == "celsius" else round(celsius * 9 / 5 + 32)
    return {"sky": pick(SKIES, "sky", city, "now"), "temperature": degrees, "unit": unit}


def get_air_quality(city: str) -> dict[str, Json]:
    index = 15 + draw("air", city, below=180)
    grades = ("good", "moderate", "unhealthy for some", "unhealthy")
    return {"aqi": index, "grade": grades[min(index // 50, 3)]}


def get_sunrise_sunset(city: str) -> dict[str, Json]:
    rise = 300 + draw("sun", city, below=150)
    fall = 1440 - rise + draw("dusk", city, below=30)
    return {
        "sunrise": f"{rise // 60:02}:{rise % 60:02}",
        "sunset": f"{fall // 60:02}:{fall % 60:02}",
    }


TOOLS = (get_weather_forecast, get_current_weather, get_air_quality, get_sunrise_sunset)
