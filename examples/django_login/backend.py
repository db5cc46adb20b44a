"""Django's own login, with every guess taken before the password is compared.

Put this in the place of `ModelBackend` in AUTHENTICATION_BACKENDS, and say in the settings where the store is:

    SEKISHO = {"store": "sqlite:///bank.db", "keys": "keys.json", "key": CHANNEL_KEY, "policy": "postal-bank.yaml"}
"""

from functools import cache

from django.conf import settings
from django.contrib.auth.backends import ModelBackend

from sekisho import Guard
from sekisho.errors import CallerError, SekishoError


@cache
def guard():
    """One for each process, opened at the first login: after a server has forked. Nothing closes it: what was told is durable."""
    return Guard(**settings.SEKISHO).__enter__()


class SekishoBackend(ModelBackend):
    """Whoever may not guess is not compared with; whoever is right and locked meanwhile is not let in."""

    def authenticate(self, request, username=None, password=None, **kwargs):
        if not username or password is None:
            return None
        try:
            context = {"ip": request.META["REMOTE_ADDR"]} if request is not None else {}
            held = guard().reserve("login", "login-password", f"customer:{username}", **context)
        except CallerError:
            return None  # no name that a customer could have
        except SekishoError:
            return self.tell(request, "Nothing can be decided now. Please try again later.")
        if not held.granted:
            return self.tell(request, held.message)
        right = None
        try:
            user = super().authenticate(request, username=username, password=password, **kwargs)
            right = user is not None
        finally:
            told = guard().verdict(held.reservation, right)
        return user if told.right else self.tell(request, told.message)

    @staticmethod
    def tell(request, message):
        """What the customer reads: it holds no count, and is the same for names that nobody has."""
        if request is not None:
            request.sekisho_says = message
