"""The manual: an article for staff and one for customers, made from the policy that is enforced."""

from sekisho.manual.article import Article, Audience, Facts, Links, Page
from sekisho.manual.build import File, articles, files, missing, style, write

__all__ = ["Article", "Audience", "Facts", "File", "Links", "Page", "articles", "files", "missing", "style", "write"]
