"""The one path there is."""

from django.conf import settings
from django.urls import path

from offers import views

SOURCES = {"postgres": views.from_postgres, "redis": views.from_redis}

urlpatterns = [path("users/<int:user_id>/offer", SOURCES[settings.LADDER_SOURCE])]
