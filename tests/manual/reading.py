"""Reading a page of the manual as a person does: its text, the text of each place on it, where its links lead."""

import re
from html.parser import HTMLParser

VOID = {"meta", "link", "input", "br", "hr", "img"}


class Reading(HTMLParser):
    """One page. `places`: the text of every element with an id. `links`: all addresses. `faults`: what is wrong with the markup."""

    def __init__(self, html):
        super().__init__()
        self.places, self.links, self.faults, self.words, self._open = {}, [], [], [], []
        self.feed(html)
        self.close()
        self.faults += [f"not closed: {tag}" for tag, _ in self._open]

    @property
    def text(self):
        return tidy("".join(self.words))

    def place(self, name):
        return tidy("".join(self.places[name]))

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        if told.get("href"):
            self.links.append(told["href"])
        if tag in VOID:
            self.handle_data(" ")
            return
        name = told.get("id")
        if name in self.places:
            self.faults.append(f"twice: {name}")
        if name:
            self.places[name] = []
        self._open.append((tag, name))

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        if not self._open or self._open[-1][0] != tag:
            self.faults.append(f"wrong end: {tag}")
            return
        self._open.pop()
        self.handle_data(" " if tag not in {"strong", "span", "a"} else "")

    def handle_data(self, data):
        self.words.append(data)
        for _, name in self._open:
            if name:
                self.places[name].append(data)


def tidy(text):
    return re.sub(r"\s+", " ", text)


def says(text, cell):
    """Whether a text says a cell: a bare number stands there as a whole number."""
    if cell.isdigit():
        return re.search(rf"(?<![\d-]){cell}(?!\d)", text) is not None
    return cell in text
