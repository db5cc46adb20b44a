"""The templates of a folder or several, as pages, articles and plots are written from them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any


@cache
def _environment(*folders: Path) -> Any:
    import jinja2  # noqa: PLC0415  it takes long to load, and a node that shows no page needs none of it

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )


def render(folders: Path | Sequence[Path], template: str, **facts: Any) -> str:
    """Write a template with facts, escaped wherever they are text. A fact that is missing is an error, not an empty place.

    Args:
        folders: where the template is, and all that it includes.
        template: its file name.
        facts: what it may name.

    """
    written: str = _environment(*([folders] if isinstance(folders, Path) else folders)).get_template(template).render(**facts)
    return written
