"""What the stars say. The frontend knows the same stars: see its forecast.ts."""

import itertools

from django.db.models import TextChoices

OPENINGS = [
    "Today your pipeline is green",
    "A merge you had given up on comes through",
    "Someone will praise your commit messages",
    "A flaky test shows its true face",
]
ADVICE = [
    "write the test first.",
    "delete more than you add.",
    "read the error before you search for it.",
    "go home on time.",
    "name it properly.",
]


class Sign(TextChoices):
    CAPRICORN = "Capricorn"
    AQUARIUS = "Aquarius"
    PISCES = "Pisces"
    ARIES = "Aries"
    TAURUS = "Taurus"
    GEMINI = "Gemini"
    CANCER = "Cancer"
    LEO = "Leo"
    VIRGO = "Virgo"
    LIBRA = "Libra"
    SCORPIO = "Scorpio"
    SAGITTARIUS = "Sagittarius"


def fnv1a(text):
    """Tiny, and the same on every machine, so that a sign has one forecast a day."""
    h = 0x811C9DC5
    for char in text:
        h = (h ^ ord(char)) * 0x01000193 & 0xFFFFFFFF
    return h


def forecast(sign, day):
    """The text for a sign on a day, a datetime.date."""
    h = fnv1a(f"{sign} {day.isoformat()}")
    return f"{OPENINGS[h % len(OPENINGS)]}: {ADVICE[h // len(OPENINGS) % len(ADVICE)]}"


def lucky_numbers(sign, day):
    """Three different numbers from 1 to 49, in order."""
    numbers = set()
    for draw in itertools.count():
        numbers.add(fnv1a(f"{sign} {day.isoformat()} {draw}") % 49 + 1)
        if len(numbers) == 3:
            return sorted(numbers)
