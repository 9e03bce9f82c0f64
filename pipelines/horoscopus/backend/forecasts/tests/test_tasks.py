from celery.contrib.testing.worker import start_worker
from django.test import TransactionTestCase

from forecasts.models import Reading
from forecasts.stars import Sign
from forecasts.tasks import draw
from horoscopus.celery import app


class DrawTest(TransactionTestCase):
    """With a worker that takes the orders out of Redis."""

    def setUp(self):
        app.control.purge()
        worker = start_worker(app, perform_ping_check=False, shutdown_timeout=30)
        worker.__enter__()
        self.addCleanup(worker.__exit__, None, None, None)

    def test_the_whole_sky_is_drawn(self):
        self.assertEqual(draw.delay("2026-03-21").get(timeout=20), 12)
        signs = Reading.objects.filter(day="2026-03-21").values_list("sign", flat=True)
        self.assertSequenceEqual(sorted(signs), sorted(Sign.values))

    def test_drawing_again_changes_nothing(self):
        for _ in range(2):
            draw.delay("2026-03-21").get(timeout=20)
        self.assertEqual(Reading.objects.count(), 12)
