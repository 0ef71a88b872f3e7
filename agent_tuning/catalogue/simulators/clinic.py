"""Health: energy spent on sports, drugs that do not mix, doctors and their seeded hours."""

from itertools import combinations

from agent_tuning.catalogue.simulators.world import draw, pick
from agent_tuning.records import Json

METS = {"running": 9.8, "cycling": 7.5, "swimming": 6.0, "hiking": 5.3, "yoga": 2.5, "rowing": 7.0}
SURNAMES = ("Weber", "Okafor", "Lind", "Moreau", "Tanaka", "Silva", "Novak", "Haddad")
DRUGS = {
    word: en
    for en, zh in (
        ("warfarin", "华法林"),
        ("aspirin", "阿司匹林"),
        ("ibuprofen", "布洛芬"),
        ("sertraline", "舍曲林"),
        ("simvastatin", "辛伐他汀"),
        ("clarithromycin", "克拉霉素"),
        ("lisinopril", "赖诺普利"),
        ("spironolactone", "螺内酯"),
    )
    for word in (en, zh)
}
RISKS = {
    frozenset(pair): risk
    for *pair, risk in (
        ("warfarin", "aspirin", "bleeding"),
        ("warfarin", "ibuprofen", "bleeding"),
        ("sertraline", "ibuprofen", "bleeding"),
        ("simvastatin", "clarithromycin", "muscle damage"),
        ("lisinopril", "spironolactone", "high potassium"),
    )
}


def calculate_calories_burned(
    activity: str, minutes: int, weight_kg: float = 70
) -> dict[str, Json]:
    """Metabolic equivalent x kilograms x hours."""
    return {"kcal": round(METS[activity] * weight_kg * minutes / 60), "met": METS[activity]}


def check_drug_interactions(drugs: list[str]) -> dict[str, Json]:
    """Pairs that are known to harm; other drugs count as harmless."""
    names = [DRUGS.get(drug.casefold(), drug) for drug in drugs]
    pairs = [pair for pair in combinations(names, 2) if frozenset(pair) in RISKS]
    risks = sorted({RISKS[frozenset(pair)] for pair in pairs})
    return {"safe": not pairs, "pairs": len(pairs), "risk": ", ".join(risks) or "none known"}


def find_doctor(specialty: str, city: str) -> dict[str, Json]:
    practice = (specialty, city)
    return {
        "doctor": f"Dr. {pick(SURNAMES, *practice)}",
        "phone": f"555-{1000 + draw('phone', *practice, below=9000)}",
        "waiting_days": 1 + draw("waiting", *practice, below=20),
    }


def book_appointment(doctor: str, date: str, first_visit: bool = False) -> dict[str, Json]:
    """A first visit takes longer."""
    slot = 8 * 60 + 10 * draw("slot", doctor, date, below=50)
    return {
        "time": f"{slot // 60:02}:{slot % 60:02}",
        "minutes": 40 if first_visit else 15,
        "reference": f"A{1000 + draw('visit', doctor, date, below=9000)}",
    }


TOOLS = (calculate_calories_burned, check_drug_interactions, find_doctor, book_appointment)
