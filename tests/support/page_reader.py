"""Reads a page of HTML strictly, and checks that it is whole and asks nothing of anybody."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"meta", "img", "br"}
FORBIDDEN_TAGS = {"script", "link", "iframe", "object", "embed", "base", "form"}


class Reader(HTMLParser):
    """Follows the tags, all of which have to be closed, and keeps attributes, texts and the rows of tables."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert len({name for name, _ in attrs}) == len(attrs), f"{tag} has an attribute twice"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)
        if "tr" in self.open and {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def assert_self_contained(html: str) -> None:
    """No script, nothing loaded, links only within the page, every id once, and finite places of all shapes."""
    reader = Reader(html)
    assert html.startswith("<!doctype html>")
    assert "http" not in html
    assert "url(" not in html
    assert "@import" not in html
    assert not FORBIDDEN_TAGS & {tag for tag, _ in reader.tags}
    for _, attributes in reader.tags:
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("src") or "data:image/jpeg;base64,").startswith("data:image/jpeg;base64,")
        assert (attributes.get("href") or "#").startswith("#")
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {attributes["href"][1:] for tag, attributes in reader.tags if tag == "a"} <= set(ids)
    places = re.findall(r' (?:points|cx|cy|x|y|x1|y1|x2|y2|width|height)="([^"]*)"', html)
    assert not [place for place in places if "nan" in place or "inf" in place]
