from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db import models

from .stars import Sign, forecast, lucky_numbers


class ReadingQuerySet(models.QuerySet):
    def about(self, words):
        """Those that hold all of WORDS, in any of their forms."""
        text = SearchVector("text", config="english")
        return self.annotate(words=text).filter(
            words=SearchQuery(words, config="english")
        )


class ReadingManager(models.Manager.from_queryset(ReadingQuerySet)):
    def draw(self, sign, day):
        """That of SIGN on DAY: who asks first makes it, the others get the same."""
        reading, _ = self.get_or_create(
            sign=sign,
            day=day,
            defaults={
                "text": forecast(sign, day),
                "lucky": lucky_numbers(sign, day),
            },
        )
        return reading


class Reading(models.Model):
    sign = models.CharField(max_length=16, choices=Sign.choices)
    day = models.DateField()
    text = models.TextField()
    lucky = ArrayField(models.PositiveSmallIntegerField(), size=3)

    objects = ReadingManager()

    class Meta:
        ordering = ["-day", "sign"]
        constraints = [
            models.UniqueConstraint(fields=["sign", "day"], name="one_reading_a_day"),
        ]

    def __str__(self):
        return f"{self.sign}, {self.day}"

    def as_json(self):
        return {
            "sign": self.sign,
            "day": self.day.isoformat(),
            "text": self.text,
            "lucky": self.lucky,
        }
