"""Travel between real places on seeded timetables; fares and times follow the distance."""

from datetime import date as Date
from datetime import timedelta
from math import acos, cos, radians, sin

from agent_tuning.catalogue.simulators.world import draw, pick
from agent_tuning.records import Json

# latitude and longitude, in degrees
PLACES = {
    "london": (51.51, -0.13),
    "paris": (48.86, 2.35),
    "berlin": (52.52, 13.41),
    "rome": (41.9, 12.5),
    "madrid": (40.42, -3.7),
    "vienna": (48.21, 16.37),
    "prague": (50.08, 14.44),
    "geneva": (46.2, 6.14),
    "amsterdam": (52.37, 4.9),
    "brussels": (50.85, 4.35),
    "munich": (48.14, 11.58),
    "milan": (45.46, 9.19),
    "zurich": (47.38, 8.54),
    "lyon": (45.76, 4.84),
    "hamburg": (53.55, 9.99),
    "warsaw": (52.23, 21.01),
    "lisbon": (38.72, -9.14),
    "athens": (37.98, 23.73),
    "copenhagen": (55.68, 12.57),
    "dublin": (53.35, -6.26),
    "budapest": (47.5, 19.04),
    "helsinki": (60.17, 24.94),
    "barcelona": (41.39, 2.17),
    "stockholm": (59.33, 18.07),
    "naples": (40.85, 14.27),
    "krakow": (50.06, 19.94),
    "porto": (41.15, -8.61),
    "nice": (43.7, 7.27),
    "北京": (39.9, 116.4),
    "上海": (31.23, 121.47),
    "广州": (23.13, 113.26),
    "成都": (30.57, 104.07),
    "西安": (34.34, 108.94),
    "武汉": (30.59, 114.31),
    "南京": (32.06, 118.8),
    "长沙": (28.23, 112.94),
    "杭州": (30.27, 120.16),
    "深圳": (22.54, 114.06),
    "重庆": (29.56, 106.55),
    "天津": (39.13, 117.2),
    "郑州": (34.75, 113.62),
    "昆明": (24.88, 102.83),
    "青岛": (36.07, 120.38),
    "厦门": (24.48, 118.09),
    "沈阳": (41.8, 123.43),
    "哈尔滨": (45.75, 126.65),
    "济南": (36.65, 117.0),
    "合肥": (31.82, 117.23),
    "福州": (26.08, 119.3),
    "南昌": (28.68, 115.86),
    "贵阳": (26.65, 106.63),
    "桂林": (25.27, 110.29),
    "大连": (38.91, 121.6),
    "苏州": (31.3, 120.58),
    "太原": (37.87, 112.55),
    "三亚": (18.25, 109.51),
}
HOTELS = ("Grand Hotel", "Park Inn", "Hotel Luna", "City Lodge", "Riverside Hotel", "Hotel Astra")


def _place(name: str) -> tuple[float, float]:
    """Coordinates; an unknown place gets a seeded spot in Europe."""
    seeded = (40 + draw("lat", name, below=1500) / 100, draw("lon", name, below=2500) / 100)
    return PLACES.get(name.casefold(), seeded)


def _kilometers(origin: str, destination: str) -> int:
    """Along the great circle."""
    (north, east), (other_north, other_east) = (
        tuple(map(radians, _place(name))) for name in (origin, destination)
    )
    cosine = sin(north) * sin(other_north)
    cosine += cos(north) * cos(other_north) * cos(east - other_east)
    return round(6371 * acos(min(1.0, cosine)))


def _clock(minutes: int) -> str:
    return f"{minutes // 60 % 24:02}:{minutes % 60:02}"


def search_flights(origin: str, destination: str, date: str) -> dict[str, Json]:
    trip = ("flight", origin, destination, date)
    start = 360 + 5 * draw("start", *trip, below=216)
    end = start + 45 + _kilometers(origin, destination) * 60 // 750
    return {
        "flight": f"{pick(('KV', 'NX', 'AL'), *trip)}{100 + draw('number', *trip, below=900)}",
        "departure": _clock(start),
        "arrival_date": (Date.fromisoformat(date) + timedelta(end // 1440)).isoformat(),
        "price": 40 + _kilometers(origin, destination) // 8 + draw("fare", *trip, below=60),
    }


def search_trains(
    origin: str, destination: str, date: str, seat_class: str = "second"
) -> dict[str, Json]:
    trip = ("train", origin, destination, date)
    start = 330 + 5 * draw("start", *trip, below=150)
    fare = 10 + _kilometers(origin, destination) // 9 + draw("fare", *trip, below=20)
    return {
        "train": f"{pick('GEX', *trip)}{10 + draw('number', *trip, below=890)}",
        "departure": _clock(start),
        "arrival": _clock(start + 10 + _kilometers(origin, destination) * 60 // 180),
        "price": fare * 8 // 5 if seat_class == "first" else fare,
    }


def find_hotels(city: str, check_in: str, max_price: float | None = None) -> dict[str, Json]:
    """The best rated hotel with a room that night, within the limit if there is one."""
    rooms = [
        (draw("rating", city, hotel, below=20), hotel)
        for hotel in HOTELS
        if max_price is None or _room(city, hotel, check_in) <= max_price
    ]
    if not rooms:
        return {"hotel": "", "price": None, "rating": None}
    rating, hotel = max(rooms)
    return {"hotel": hotel, "price": _room(city, hotel, check_in), "rating": 3 + rating / 10}


def _room(city: str, hotel: str, night: str) -> int:
    return 35 + draw("room", city, hotel, below=160) + draw("night", city, night, below=20)


def get_distance(origin: str, destination: str) -> dict[str, Json]:
    distance = _kilometers(origin, destination)
    return {"distance": distance, "unit": "kilometer"}


TOOLS = (search_flights, search_trains, find_hotels, get_distance)
