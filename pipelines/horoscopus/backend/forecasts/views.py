from datetime import date

from django.core.cache import cache
from django.http import Http404, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from . import popular
from .models import Reading
from .stars import Sign

CACHED_SECONDS = 60 * 60
SHOWN_AT_MOST = 50


def error(text):
    return JsonResponse({"error": text}, status=400)


@require_safe
def reading(request, sign):
    sign = sign.capitalize()
    if sign not in Sign.values:
        raise Http404(f"there is no sign '{sign}'")
    try:
        day = date.fromisoformat(
            request.GET.get("day") or timezone.localdate().isoformat()
        )
    except ValueError:
        return error("'day' is a date as 2026-03-21")

    popular.count(sign, timezone.localdate())
    answer = cache.get_or_set(
        f"reading:{day.isoformat()}:{sign}",
        lambda: Reading.objects.draw(sign, day).as_json(),
        CACHED_SECONDS,
    )
    return JsonResponse(answer)


@require_safe
def search(request):
    words = request.GET.get("q", "").strip()
    if not words:
        return error("'q' is missing: the words to look for")
    found = Reading.objects.about(words)[:SHOWN_AT_MOST]
    return JsonResponse({"readings": [r.as_json() for r in found]})


@require_safe
def favourites(request):
    signs = popular.favourites(timezone.localdate())
    return JsonResponse({"signs": [{"sign": s, "asked": n} for s, n in signs]})
