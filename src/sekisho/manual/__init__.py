"""The manual: an article for staff and one for customers, made from the policy that is enforced."""

from sekisho.manual.article import ANSWERS, FRAME, HELPED, PDF, SERVED, STYLE, Article, Audience, Choice, Facts, Links, Page, row_address
from sekisho.manual.build import File, articles, as_pdf, files, missing, printed, style, write

__all__ = [
    "ANSWERS", "FRAME", "HELPED", "PDF", "SERVED", "STYLE", "Article", "Audience", "Choice", "Facts", "File", "Links", "Page", "articles", "as_pdf",
    "files", "missing", "printed", "row_address", "style", "write",
]
