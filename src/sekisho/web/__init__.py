"""What every page shares: templates, style sheet, language, the headers that keep a page shut, forms that nobody else can send."""

from sekisho.web.forms import Form, Unreadable, read_form
from sekisho.web.pages import LANGUAGE_COOKIE, language_of_request, page, stylesheet

__all__ = ["LANGUAGE_COOKIE", "Form", "Unreadable", "language_of_request", "page", "read_form", "stylesheet"]
