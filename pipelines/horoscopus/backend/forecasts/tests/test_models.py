from datetime import date

from django.db import IntegrityError, connection
from django.test import TestCase

from forecasts.models import Reading

SPRING = date(2026, 3, 21)


class ReadingTest(TestCase):
    def test_the_database_is_postgresql(self):
        self.assertEqual(connection.vendor, "postgresql")

    def test_a_reading_is_drawn_once(self):
        first = Reading.objects.draw("Leo", SPRING)
        self.assertEqual(Reading.objects.draw("Leo", SPRING).pk, first.pk)

    def test_the_database_forbids_a_second_one(self):
        Reading.objects.draw("Leo", SPRING)
        with self.assertRaisesMessage(IntegrityError, "one_reading_a_day"):
            Reading.objects.create(sign="Leo", day=SPRING, text="x", lucky=[1, 2, 3])

    def test_words_are_found_in_any_form(self):
        made = {"sign": "Leo", "lucky": [7, 8, 9]}
        wanted = Reading.objects.create(day=SPRING, text="Flaky tests go home.", **made)
        Reading.objects.create(day=date(2026, 3, 22), text="All is green.", **made)
        self.assertSequenceEqual(Reading.objects.about("testing home"), [wanted])

    def test_lucky_numbers_can_be_asked_for(self):
        made = {"sign": "Virgo", "text": "x"}
        wanted = Reading.objects.create(day=SPRING, lucky=[3, 14, 15], **made)
        Reading.objects.create(day=date(2026, 3, 22), lucky=[2, 7, 18], **made)
        found = Reading.objects.filter(lucky__contains=[14])
        self.assertSequenceEqual(found, [wanted])
