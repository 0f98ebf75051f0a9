"""The frame of a page: one self-contained HTML file that loads nothing and runs no script."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contralto.evaluation.report.style import CSS
from contralto.evaluation.report.words import text


def document(title: str, body: str, css: str = "") -> str:
    """A whole page. title: plain text. body: HTML. css: rules in addition to the style of all pages."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{text(title)}</title>
<style>{CSS}{css}</style>
</head>
<body>
{body}</body>
</html>
"""


def fact_list(facts: Mapping[str, Any]) -> str:
    """Names and values in one line, which wraps. Values of None are left out."""
    rows = "".join(
        f"<div><dt>{text(key.replace('_', ' '))}</dt><dd>{text(value)}</dd></div>"
        for key, value in facts.items()
        if value is not None
    )
    return f'<dl class="facts">{rows}</dl>'


def plot_figure(title: str, about: str, drawing: str) -> str:
    """A drawing with its heading and a sentence, both HTML."""
    return f'<figure class="plot"><figcaption><h3>{title}</h3><p>{about}</p></figcaption>{drawing}</figure>'
