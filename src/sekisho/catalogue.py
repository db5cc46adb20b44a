"""Every sentence a person reads, in Japanese and English, looked up by its name.

The texts are in `locale/`: those of the manual, and of customers' telephones, in files of their own.
"""

from __future__ import annotations

from functools import cache, lru_cache
from importlib import resources

from babel.messages.pofile import read_po

LANGUAGES = ("ja", "en")
FILES = ("{}.po", "manual-{}.po", "phone-{}.po")


@cache
def texts(language: str) -> dict[str, str]:
    """All texts of one language, by name."""
    found: dict[str, str] = {}
    for name in FILES:
        with (resources.files("sekisho") / "locale" / name.format(language)).open("rb") as opened:
            found |= {str(entry.id): str(entry.string) for entry in read_po(opened, locale=language) if entry.id}
    return found


def say(language: str, name: str, /, **facts: object) -> str:
    """The text of that name. A missing text is an error at once, never an empty page."""
    text = texts(language)[name]
    return text.format(**facts) if facts else text


def translated(text: str, language: str, into: str) -> str:
    """A text of one language in another; as it is when it is none of ours."""
    name = name_of(text, language)
    return text if name is None else texts(into)[name]


def name_of(text: str, language: str) -> str | None:
    """The name of a text, so that a caller who was handed the sentence knows which one it is."""
    return next((name for name, known in texts(language).items() if known == text), None)


@lru_cache(maxsize=256)
def language_of(accept: str | None, default: str = "ja") -> str:
    """The first language of an `Accept-Language` header (RFC 9110 section 12.5.4) that we speak."""
    for part in (accept or "").split(","):
        tag = part.split(";")[0].strip().lower()[:2]
        if tag in LANGUAGES:
            return tag
    return default
