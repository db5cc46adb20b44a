"""The project's own documentation as pages: what is written in `docs/`, and a reference made from the code itself."""

from sekisho.guide.build import build

__all__ = ["build"]
