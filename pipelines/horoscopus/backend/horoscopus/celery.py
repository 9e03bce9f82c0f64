import os

from celery import Celery
from celery.schedules import crontab

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "horoscopus.settings")

app = Celery("horoscopus")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.beat_schedule = {
    "every night": {"task": "forecasts.draw", "schedule": crontab(hour=0, minute=5)},
}
