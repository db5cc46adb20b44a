"""The templates of a folder, as pages, articles and plots are written from them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any


@cache
def _environment(folder: Path) -> Any:
    import jinja2  # noqa: PLC0415  it takes long to load, and a node that shows no page needs none of it

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )


def render(folder: Path, template: str, **facts: Any) -> str:
    """Write a template with facts, escaped wherever they are text. A fact that is missing is an error, not an empty place.

    Args:
        folder: where the template is, and all that it includes.
        template: its file name.
        facts: what it may name.

    """
    written: str = _environment(folder).get_template(template).render(**facts)
    return written
