"""Arithmetic of ISO dates."""

from datetime import date as Date
from datetime import timedelta

from agent_tuning.records import Json

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def days_between(start_date: str, end_date: str) -> dict[str, Json]:
    days = (Date.fromisoformat(end_date) - Date.fromisoformat(start_date)).days
    return {"days": days, "weeks": round(days / 7, 1)}


def count_workdays(start_date: str, end_date: str) -> dict[str, Json]:
    """Mondays to Fridays, both ends included."""
    first = Date.fromisoformat(start_date)
    span = (Date.fromisoformat(end_date) - first).days + 1
    weekdays = [(first + timedelta(day)).weekday() for day in range(span)]
    workdays = sum(weekday < 5 for weekday in weekdays)
    return {"workdays": workdays, "weekend_days": len(weekdays) - workdays}


def add_days(date: str, days: int) -> dict[str, Json]:
    moved = Date.fromisoformat(date) + timedelta(days)
    return {"date": moved.isoformat(), "day_of_year": moved.timetuple().tm_yday}


def get_weekday(date: str) -> dict[str, Json]:
    weekday = Date.fromisoformat(date).weekday()
    return {"weekday": WEEKDAYS[weekday], "number": weekday + 1, "weekend": weekday > 4}


TOOLS = (days_between, count_workdays, add_days, get_weekday)
