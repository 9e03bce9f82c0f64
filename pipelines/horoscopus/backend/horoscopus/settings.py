"""What differs between machines comes from the environment."""

import os

env = os.environ.get

SECRET_KEY = os.environ["DJANGO_SECRET_KEY"]
ALLOWED_HOSTS = env("DJANGO_ALLOWED_HOSTS", "localhost").split(",")

INSTALLED_APPS = [
    "django.contrib.postgres",
    "forecasts",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
]
ROOT_URLCONF = "horoscopus.urls"
WSGI_APPLICATION = "horoscopus.wsgi.application"

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": env("POSTGRES_HOST", "localhost"),
        "PORT": env("POSTGRES_PORT", "5432"),
        "NAME": env("POSTGRES_DB", "horoscopus"),
        "USER": env("POSTGRES_USER", "horoscopus"),
        "PASSWORD": env("POSTGRES_PASSWORD", ""),
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS = f"redis://{env('REDIS_HOST', 'localhost')}:{env('REDIS_PORT', '6379')}"
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": f"{REDIS}/0",
    }
}
CELERY_BROKER_URL = CELERY_RESULT_BACKEND = f"{REDIS}/1"

TIME_ZONE = "UTC"
USE_TZ = True
