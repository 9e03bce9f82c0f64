from datetime import date, timedelta

from django.test import SimpleTestCase

from forecasts.stars import Sign, fnv1a, forecast, lucky_numbers

SPRING = date(2026, 3, 21)


class StarsTest(SimpleTestCase):
    def test_the_hash_is_the_frontend_s(self):
        """The known values of 32-bit FNV-1a."""
        self.assertEqual(fnv1a(""), 0x811C9DC5)
        self.assertEqual(fnv1a("foobar"), 0xBF9CF968)

    def test_a_sign_has_one_forecast_a_day(self):
        self.assertEqual(forecast("Aries", SPRING), forecast(Sign.ARIES, SPRING))
        days = {forecast("Aries", SPRING + timedelta(n)) for n in range(30)}
        self.assertGreater(len(days), 5)

    def test_lucky_numbers_are_three_and_fit_the_lottery(self):
        for n in range(100):
            numbers = lucky_numbers("Leo", SPRING + timedelta(n))
            self.assertEqual(len(set(numbers)), 3)
            self.assertTrue(all(1 <= number <= 49 for number in numbers))
