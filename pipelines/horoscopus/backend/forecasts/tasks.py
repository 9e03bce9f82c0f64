from datetime import date

from celery import shared_task
from django.utils import timezone

from .models import Reading
from .stars import Sign


@shared_task(name="forecasts.draw")
def draw(day=None):
    """Draws all signs for a day, YYYY-MM-DD, today's without one; says how many."""
    day = date.fromisoformat(day) if day else timezone.localdate()
    return len([Reading.objects.draw(sign, day) for sign in Sign.values])
