"""A house whose rooms have a temperature, a humidity and a dimmable light."""

from agent_tuning.catalogue.simulators.world import draw
from agent_tuning.records import Json


def _temperature(room: str) -> int:
    return 17 + draw("temperature", room, below=8)


def get_room_status(room: str) -> dict[str, Json]:
    return {
        "temperature": _temperature(room),
        "humidity": 35 + draw("humidity", room, below=30),
        "brightness": 10 + 5 * draw("brightness", room, below=19),
    }


def set_temperature(room: str, degrees: int, hours: int = 0) -> dict[str, Json]:
    """Hold a temperature; the room moves a degree in some minutes of its own."""
    gap = abs(degrees - _temperature(room))
    result: dict[str, Json] = {
        "target": degrees,
        "ready_in": gap * (4 + draw("speed", room, below=6)),
    }
    return {**result, "hold_hours": hours} if hours else result


def switch_light(room: str, state: str) -> dict[str, Json]:
    lamps = 1 + draw("lamps", room, below=5)
    return {"light": state, "lamps": lamps, "watts": 9 * lamps if state == "on" else 0}


def dim_light(room: str, percent: int, tone: str = "neutral") -> dict[str, Json]:
    lamps = 1 + draw("lamps", room, below=5)
    return {"brightness": percent, "tone": tone, "watts": round(9 * lamps * percent / 100, 1)}


TOOLS = (get_room_status, set_temperature, switch_light, dim_light)
