"""One view over one table, as it is when nobody has thought of a spike yet: the ladder's first steps.

Nothing is left in that the view does not need: no middleware, no sessions, no templates.
"""

import os

DEBUG = False
SECRET_KEY = "signs-nothing-here"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "urls"
MIDDLEWARE = []
INSTALLED_APPS = ["offers"]
USE_TZ = True
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": "127.0.0.1",
        "PORT": os.environ["LADDER_POSTGRES_PORT"],
        "NAME": os.environ["LADDER_POSTGRES_NAME"],
        "USER": "postgres",
        # 0, Django's default, is a new connection for each request.
        "CONN_MAX_AGE": int(os.environ["LADDER_CONN_MAX_AGE"]),
    }
}
LADDER_SOURCE = os.environ["LADDER_SOURCE"]
LADDER_REDIS_PORT = int(os.environ["LADDER_REDIS_PORT"])
