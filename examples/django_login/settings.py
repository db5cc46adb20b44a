"""As little of a Django site as has users and a login. The environment says where sekisho's store and keys are."""

import os

SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "an example; a site of yours has its own")
ALLOWED_HOSTS = ["testserver", "localhost"]
ROOT_URLCONF = "urls"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"]
MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["DJANGO_DATABASE"]}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTHENTICATION_BACKENDS = ["backend.SekishoBackend"]
SEKISHO = {
    "store": os.environ["SEKISHO_STORE"], "keys": os.environ["SEKISHO_KEYS"], "key": os.environ["SEKISHO_KEY"],
    "policy": os.environ["SEKISHO_POLICY"], "language": "en",
}
