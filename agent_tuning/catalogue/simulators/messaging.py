"""An office's mail: contacts with seeded addresses, a seeded inbox, receipts for what is sent."""

from agent_tuning.catalogue.simulators.world import draw, pick
from agent_tuning.records import Json

SUBJECTS = ("Quarterly report", "Lunch on Friday", "New contract", "Travel plans", "Meeting notes")


def lookup_contact(name: str) -> dict[str, Json]:
    number = draw("contact", name, below=9000)
    return {
        "email": f"{pick(('sales', 'desk', 'office', 'team'), name)}{1000 + number}@mail.example",
        "phone": f"+44 20 {1000 + draw('line', name, below=9000)} {1000 + number}",
    }


def search_inbox(sender: str, unread_only: bool = False) -> dict[str, Json]:
    unread = draw("unread", sender, below=4)
    read = 0 if unread_only else 1 + draw("read", sender, below=9)
    mails = unread + read
    return {"found": mails, "latest": pick(SUBJECTS, "mail", sender) if mails else ""}


def send_email(
    recipients: list[str], subject: str, priority: str = "normal", receipt: bool = False
) -> dict[str, Json]:
    mail = (*recipients, subject, priority, receipt)
    return {"message_id": f"M{10000 + draw(*mail, below=90000)}", "sent": len(recipients)}


def schedule_call(attendees: list[str], time: str, minutes: int = 30) -> dict[str, Json]:
    """The end of the call as a clock time, and the room where it is held."""
    hours, start = map(int, time.split(":"))
    end = hours * 60 + start + minutes
    room = f"room-{100 + draw(*sorted(attendees), time, below=900)}"
    return {"room": room, "ends": f"{end // 60 % 24:02}:{end % 60:02}", "people": len(attendees)}


TOOLS = (lookup_contact, search_inbox, send_email, schedule_call)
