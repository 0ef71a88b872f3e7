"""Music and sport: seeded concerts and results, ticket prices by seat, playlists."""

from agent_tuning.catalogue.simulators.world import draw, pick
from agent_tuning.records import Json

VENUES = ("Arena", "Opera House", "Jazz Cellar", "Town Hall", "Open Air Stage")
SEATS = {"standing": 2, "stalls": 3, "balcony": 4}  # price, in halves of the event's own
MINUTES_PER_SONG = 4


def find_concerts(artist: str, city: str = "") -> dict[str, Json]:
    """The next concert of an artist, in one city or wherever it is."""
    tour = (artist, city)
    month, day = 1 + draw("month", *tour, below=12), 1 + draw("day", *tour, below=28)
    return {
        "event": f"{artist} @ {pick(VENUES, 'venue', *tour)}",
        "date": f"2027-{month:02}-{day:02}",
    }


def buy_tickets(event: str, quantity: int, seats: str = "standing") -> dict[str, Json]:
    halves = (20 + draw("ticket", event, below=50)) * SEATS[seats]
    return {
        "order": f"E{10000 + draw('order', event, quantity, seats, below=90000)}",
        "total": quantity * halves / 2,
        "currency": "EUR",
    }


def get_match_result(home_team: str, away_team: str) -> dict[str, Json]:
    home, away = (
        draw(side, home_team, away_team, below=5) for side in ("home goals", "away goals")
    )
    winner = home_team if home > away else away_team if away > home else "draw"
    return {"score": f"{home}:{away}", "winner": winner}


def create_playlist(
    title: str, genres: list[str], songs: int = 20, public: bool = False
) -> dict[str, Json]:
    key = (title, *genres, songs, public)
    return {
        "playlist_id": f"P{1000 + draw(*key, below=9000)}",
        "minutes": songs * MINUTES_PER_SONG,
        "songs_per_genre": songs // len(genres),
    }


TOOLS = (find_concerts, buy_tickets, get_match_result, create_playlist)
