"""What every page shares: templates, style sheet, language, the headers that keep a page shut, forms that nobody else can send."""

from sekisho.web.forms import Form, Unreadable, read_body, read_form
from sekisho.web.pages import HEADERS, LANGUAGE_COOKIE, WITH_SCRIPT, assets, language_of_request, page

__all__ = ["HEADERS", "LANGUAGE_COOKIE", "WITH_SCRIPT", "Form", "Unreadable", "assets", "language_of_request", "page", "read_body", "read_form"]
