"""Renders the page: one HTML file that embeds everything, makes no network request and runs no script."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from contralto.cli.console import printable
from contralto.cli.demo.gallery import DemoPicture
from contralto.cli.demo.results import DemoResults, SearchQuery
from contralto.cli.demo.style import PAGE_CSS
from contralto.cli.demo.where import TextInPicture
from contralto.evaluation.report.data_address import data_address
from contralto.zeroshot.classifier import Prediction

if TYPE_CHECKING:
    from contralto.encoder import Clip

CARD_SIDE, HEAT_MAP_SIDE, MAP_SIDE = 360, 72, 480  # pixels
JPEG_QUALITY = 82
HEAT_MAP_START = 40  # percentile of the cosines with the palest colour


def render(results: DemoResults, maps: list[TextInPicture], clip: Clip) -> str:
    """The HTML of the page. maps: texts in pictures, for the section on places. Every text from outside is escaped."""
    large = [_data(picture.thumb, CARD_SIDE) for picture in results.pictures]
    small = [_data(picture.thumb, HEAT_MAP_SIDE) for picture in results.pictures]
    pairs = zip(results.pictures, large, results.predictions, strict=True)
    cards = "".join(_card(picture, data, best) for picture, data, best in pairs)
    searches = "".join(_search(query, matches, results, large) for query, matches in results.searches)
    correct, known = results.correct_count
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Contralto: what {_text(clip.contract.name)} sees</title>
<style>{PAGE_CSS}</style>
</head>
<body>
<header>
<p class="mark">contralto</p>
<h1>Pictures and words,<br>in one space.</h1>
<p class="lead">The model maps pictures and sentences to vectors of {clip.contract.embedding} numbers. A picture and a
sentence that match get similar vectors. The labels and queries below are plain words: no classifier was trained for
them.</p>
<dl class="facts">
{_fact(f"{correct} / {known}", f"correct, with {results.labels} labels")}
{_fact(f"{len(results.pictures) / max(results.seconds, 1e-9):,.0f} / s", "pictures, from file to embedding")}
{_fact(_text(clip.contract.name), f"{_text(clip.engine)}, {_text(clip.precision)}")}
</dl>
</header>
<main>
<section>
<h2>What is it?</h2>
<p class="about">Zero-shot classification: the model compares each picture with {results.labels} labels. The cards show
the three best labels with their scores.</p>
<div class="cards">{cards}</div>
</section>
<section>
<h2>Find it</h2>
<p class="about">Search: a query in words, and the pictures with the highest cosine similarity to it.</p>
{searches}
</section>
{_where(maps)}{_heat(results, small)}
</main>
<footer>
<p>Your own pictures: <code>contralto search FOLDER "a dog on the beach"</code></p>
<p>A folder for each class of yours: <code>contralto adapt FOLDER --out DIR</code> makes the model better at them, and
measures by how much.</p>
<p>The photographs come from the scikit-image package. The demo made the drawings. This page loads nothing from
the network.</p>
</footer>
</body>
</html>
"""


def _card(picture: DemoPicture, data: str, best: list[Prediction]) -> str:
    if picture.shows is None:
        mark, name = "", _text(picture.name)
    elif picture.shows == best[0].label:
        mark, name = '<span class="right" title="correct">✓</span>', _text(picture.shows)
    else:
        mark, name = '<span class="wrong" title="wrong">✗</span>', _text(picture.shows)
    bars = "".join(
        f'<li><span class="label">{_text(p.label)}</span><span class="value">{100 * p.score:.0f}%</span>'
        f'<span class="bar"><span style="width:{100 * p.score:.1f}%"></span></span></li>'
        for p in best
    )
    return (
        f'<article class="card"><div class="photo">{_image(data, name)}{mark}</div>'
        f'<h3>{name}<small>{picture.kind}</small></h3><ol class="bars">{bars}</ol></article>\n'
    )


def _search(query: SearchQuery, matches: list[tuple[int, float]], results: DemoResults, large: list[str]) -> str:
    away = f' <span class="not">but not</span> {_text(query.away)}' if query.away else ""
    hits = "".join(
        f"<figure>{_image(large[i], _text(results.pictures[i].shows or results.pictures[i].name))}"
        f"<figcaption>{cosine:.3f}</figcaption></figure>"
        for i, cosine in matches
    )
    heading = f'<h3 class="query">{_text(query.text)}{away}</h3>'
    return f'<div class="search">{heading}<div class="hits">{hits}</div></div>\n'


def _where(maps: list[TextInPicture]) -> str:
    """Maps of texts in pictures. Empty without any."""
    if not maps:
        return ""
    figures = "".join(
        f"<figure>{_image(_data(one.drawn, MAP_SIDE), f'{_text(one.text)} in {_text(one.picture.name)}')}"
        f"<figcaption><b>{_text(one.text)}</b> {one.cosine:.3f}</figcaption></figure>"
        for one in maps
    )
    return f"""<section>
<h2>Where is it?</h2>
<p class="about">Places that speak for a text, more than the rest of the picture does: coloured from black to white, as
the bar says. The model never learned where things are, so a map shows roughly where, and never an outline. The hatched
sides were not seen. For your own: <code>contralto explain PICTURE --text "a flag" --out DIR</code></p>
<div class="maps">{figures}</div>
</section>
"""


def _heat(results: DemoResults, small: list[str]) -> str:
    """A table of texts (rows) and pictures (columns). Matching pairs are on the diagonal."""
    low, high = float(np.percentile(results.cosines, HEAT_MAP_START)), float(results.cosines.max())
    heads = "".join(
        f'<th scope="col">{_image(data, _text(picture.shows or picture.name))}</th>'
        for data, picture in zip(small, results.pictures, strict=True)
    )
    rows = "".join(
        f'<tr><th scope="row">{_text(text)}</th>{"".join(_cell(float(cosine), low, high) for cosine in row)}</tr>\n'
        for text, row in zip(results.texts, results.cosines, strict=True)
    )
    return f"""<section>
<h2>All at once</h2>
<p class="about">Every text with every picture: 100 times their cosine similarity. Texts are in the order of their
pictures, so a good model shows a diagonal.</p>
<div class="scroll" tabindex="0"><table class="heat"><thead><tr><td></td>{heads}</tr></thead>
<tbody>{rows}</tbody></table></div>
</section>"""


def _cell(cosine: float, low: float, high: float) -> str:
    strength = min(max((cosine - low) / max(high - low, 1e-9), 0.0), 1.0)
    kind = ' class="strong"' if strength > 0.6 else ' class="warm"' if strength > 0.25 else ""
    return f'<td{kind} style="--heat:{strength:.2f}" title="{cosine:.3f}">{round(100 * cosine)}</td>'


def _fact(value: str, what: str) -> str:
    return f"<div><dt>{value}</dt><dd>{what}</dd></div>"


def _image(data: str, name: str) -> str:
    return f'<img src="{data}" alt="{name}" title="{name}">'


def _text(text: str) -> str:
    return escape(printable(text))


def _data(image: Image.Image, side: int) -> str:
    return data_address(image, side, JPEG_QUALITY)
