from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from unittest import mock

from django.core.cache import cache
from django.test import TestCase
from django.utils import timezone

from forecasts import popular
from forecasts.models import Reading


class ViewTest(TestCase):
    def setUp(self):
        cache.clear()
        self.addCleanup(cache.clear)

    def test_a_reading_is_drawn_when_it_is_asked_for(self):
        answer = self.client.get("/readings/leo/?day=2026-03-21").json()
        self.assertEqual((answer["sign"], answer["day"]), ("Leo", "2026-03-21"))
        stored = Reading.objects.get(sign="Leo", day=date(2026, 3, 21))
        self.assertEqual(stored.as_json(), answer)

    def test_the_second_time_it_comes_out_of_redis(self):
        first = self.client.get("/readings/leo/").json()
        with self.assertNumQueries(0):
            self.assertEqual(self.client.get("/readings/leo/").json(), first)

    def test_without_a_day_it_is_today_s(self):
        today = timezone.localdate().isoformat()
        self.assertEqual(self.client.get("/readings/leo/").json()["day"], today)

    def test_what_cannot_be_read_is_told(self):
        self.assertEqual(self.client.get("/readings/leo/?day=soon").status_code, 400)
        self.assertEqual(self.client.get("/readings/unicorn/").status_code, 404)
        self.assertEqual(self.client.get("/readings/").status_code, 400)
        self.assertEqual(self.client.post("/readings/leo/").status_code, 405)

    def test_readings_are_found_by_their_words(self):
        lines = {"day": date(2026, 3, 21), "lucky": [1, 2, 3]}
        Reading.objects.create(sign="Leo", text="A flaky test shows up.", **lines)
        Reading.objects.create(sign="Virgo", text="All is green.", **lines)
        found = self.client.get("/readings/", {"q": "tests"}).json()["readings"]
        self.assertEqual([r["sign"] for r in found], ["Leo"])

    def test_the_favourite_comes_first(self):
        for sign in ("leo", "virgo", "leo"):
            self.client.get(f"/readings/{sign}/")
        signs = self.client.get("/popular/").json()["signs"]
        self.assertEqual(
            signs, [{"sign": "Leo", "asked": 2}, {"sign": "Virgo", "asked": 1}]
        )

    def test_nobody_is_lost_when_many_ask_at_once(self):
        day = timezone.localdate()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: popular.count("Leo", day), range(200)))
        self.assertEqual(popular.favourites(day), [("Leo", 200)])

    def test_yesterday_does_not_count(self):
        self.client.get("/readings/leo/")
        tomorrow = timezone.now() + timedelta(days=1)
        with mock.patch("django.utils.timezone.now", return_value=tomorrow):
            self.assertEqual(self.client.get("/popular/").json(), {"signs": []})
