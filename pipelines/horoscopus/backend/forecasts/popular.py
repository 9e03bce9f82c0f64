"""Who asks for which sign: counters in Redis that last a day or two."""

from django.core.cache import cache

from .stars import Sign

KEPT_SECONDS = 2 * 24 * 60 * 60


def key(sign, day):
    return f"asked:{day.isoformat()}:{sign}"


def count(sign, day):
    """One more has asked. Counts right however many ask at the same time."""
    cache.add(key(sign, day), 0, KEPT_SECONDS)
    return cache.incr(key(sign, day))


def favourites(day):
    """[(sign, times)], the favourite first; without those that nobody asked for."""
    keys = {key(sign, day): sign for sign in Sign.values}
    found = cache.get_many(keys)
    return sorted(
        ((keys[k], times) for k, times in found.items()),
        key=lambda pair: (-pair[1], pair[0]),
    )
