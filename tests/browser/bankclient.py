"""A person's program before the bank's pages, without a browser that would make anything good."""

import html
import re

import httpx

from sekisho.catalogue import say


class Client:
    """A person's program before the bank's pages."""

    def __init__(self, bank, language="en"):
        self.bank, self.language = bank, language
        self.http = httpx.Client(base_url=bank.base, headers={"accept-language": language}, follow_redirects=True, timeout=60)

    def look(self, path):
        return self._seen(self.http.get(path))

    def _seen(self, answer):
        self.answer, self.html, self.at = answer, answer.text, answer.url.path
        return self

    def form(self, act, n=0, **wanted):
        """The hidden fields of a form as the page made it."""
        found = []
        for action, inner in re.findall(r'<form[^>]* action="/bank/([\w-]+)"[^>]*>(.*?)</form>', self.html, re.DOTALL):
            fields = {name: html.unescape(value) for name, value in re.findall(r'type="hidden" name="([\w.-]+)" value="([^"]*)"', inner)}
            if action == act and wanted.items() <= fields.items():
                found.append(fields)
        return found[n]

    def post(self, act, fields, **typed):
        return self._seen(self.http.post(f"/bank/{act}", data={**fields, **typed}))

    def sits(self, place):
        self.look("/bank")
        return self.post("place", self.form("place"), place=place)

    def logs_in(self, person, password=None):
        self.look("/bank/go/login")
        return self.post("enter", self.form("enter"), **self.typed(person, password))

    @staticmethod
    def typed(person, password=None):
        return {"proof": person.number, "then.proof": password or person.password}

    def says(self, name, **facts):
        return say(self.language, name, **facts) in html.unescape(re.sub(r"<[^>]+>", " ", self.html))

    def enters(self, operation, **typed):
        """What the page of an operation asks for now."""
        if self.at != f"/bank/go/{operation}":
            self.look(f"/bank/go/{operation}")
        return self.post("enter", self.form("enter"), **typed)

    def begins(self, operation):
        self.look("/bank/account")
        return self.post("begin", self.form("begin", operation=operation))


def codes_in(bank, address, way="mail"):
    """Every number that a code can be, in what has reached an address, newest first."""
    return [found for message in bank.received(address, way) for found in re.findall(r"\d[\d ]{4,14}\d", message.body)]
