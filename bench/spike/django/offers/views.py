"""A user's offer: one query by the primary key, or one hash from Redis."""

import redis
from django.conf import settings
from django.http import Http404, JsonResponse

from .models import Offer

# A pool for each process; its connections are kept.
hashes = redis.Redis(port=settings.LADDER_REDIS_PORT, decode_responses=True)


def from_postgres(request, user_id):
    row = Offer.objects.filter(pk=user_id).values("user_id", "title", "price", "until").first()
    if row is None:
        raise Http404
    return JsonResponse(row)


def from_redis(request, user_id):
    # The public layout of the origin under test, which has filled it.
    row = hashes.hgetall(f"users:offer:{user_id}")
    if not row:
        raise Http404
    return JsonResponse(row)
