"""The page: one HTML file with everything in it. It asks nothing of the network and runs no script."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from contralto.cli.console import shown
from contralto.cli.demo.ask import Answers, Question
from contralto.cli.demo.gather import Picture
from contralto.cli.demo.style import CSS
from contralto.zeroshot.classifier import Prediction

if TYPE_CHECKING:
    from contralto.encoder import Clip

LARGE, SMALL = 360, 72
QUALITY = 82
FAINT = 40  # percentile of the cosines at which the heat map begins


def render(answers: Answers, clip: Clip) -> str:
    """The whole page. Every text in it that comes from outside is escaped."""
    large = [_data(picture.thumb, LARGE) for picture in answers.pictures]
    small = [_data(picture.thumb, SMALL) for picture in answers.pictures]
    pairs = zip(answers.pictures, large, answers.predictions, strict=True)
    cards = "".join(_card(picture, data, best) for picture, data, best in pairs)
    searches = "".join(_search(question, found, answers, large) for question, found in answers.searches)
    right, known = answers.judged
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Contralto: what {_text(clip.contract.name)} sees</title>
<style>{CSS}</style>
</head>
<body>
<header>
<p class="mark">contralto</p>
<h1>Pictures and words,<br>in one space.</h1>
<p class="lead">A model reads a picture and a sentence into the same {clip.contract.embedding} numbers, and what belongs
together lies close together. The labels and questions below are plain words: no classifier was trained for them.</p>
<dl class="facts">
{_fact(f"{right} / {known}", f"best of {answers.labels} labels is right")}
{_fact(f"{len(answers.pictures) / max(answers.seconds, 1e-9):,.0f} / s", "pictures, from file to numbers")}
{_fact(_text(clip.contract.name), f"{_text(clip.engine)}, {_text(clip.precision)}")}
</dl>
</header>
<main>
<section>
<h2>What is it?</h2>
<p class="about">Zero-shot: each picture is compared with {answers.labels} labels in words. The three that fit best, and
how the model divides its certainty among all of them.</p>
<div class="cards">{cards}</div>
</section>
<section>
<h2>Find it</h2>
<p class="about">Search: a question in words, and the pictures that lie nearest to it, with their cosine.</p>
{searches}
</section>
{_heat(answers, small)}
</main>
<footer>
<p>Your own pictures: <code>contralto search FOLDER "a dog on the beach"</code></p>
<p>Photographs: those inside the scikit-image package. Drawings: made while you waited. This page holds everything in
itself and loads nothing.</p>
</footer>
</body>
</html>
"""


def _card(picture: Picture, data: str, best: list[Prediction]) -> str:
    if picture.shows is None:
        mark, name = "", _text(picture.name)
    elif picture.shows == best[0].label:
        mark, name = '<span class="right" title="right">✓</span>', _text(picture.shows)
    else:
        mark, name = '<span class="wrong" title="not what it shows">✗</span>', _text(picture.shows)
    bars = "".join(
        f'<li><span class="label">{_text(p.label)}</span><span class="value">{100 * p.score:.0f}%</span>'
        f'<span class="bar"><span style="width:{100 * p.score:.1f}%"></span></span></li>'
        for p in best
    )
    return (
        f'<article class="card"><div class="photo">{_image(data, name)}{mark}</div>'
        f'<h3>{name}<small>{picture.kind}</small></h3><ol class="bars">{bars}</ol></article>\n'
    )


def _search(question: Question, found: list[tuple[int, float]], answers: Answers, large: list[str]) -> str:
    away = f' <span class="not">but not</span> {_text(question.away)}' if question.away else ""
    hits = "".join(
        f"<figure>{_image(large[i], _text(answers.pictures[i].shows or answers.pictures[i].name))}"
        f"<figcaption>{cosine:.3f}</figcaption></figure>"
        for i, cosine in found
    )
    asked = f'<h3 class="query">{_text(question.text)}{away}</h3>'
    return f'<div class="search">{asked}<div class="hits">{hits}</div></div>\n'


def _heat(answers: Answers, small: list[str]) -> str:
    """Texts down, pictures across; what belongs together is the diagonal."""
    low, high = float(np.percentile(answers.cosines, FAINT)), float(answers.cosines.max())
    heads = "".join(
        f'<th scope="col">{_image(data, _text(picture.shows or picture.name))}</th>'
        for data, picture in zip(small, answers.pictures, strict=True)
    )
    rows = "".join(
        f'<tr><th scope="row">{_text(text)}</th>{"".join(_cell(float(cosine), low, high) for cosine in row)}</tr>\n'
        for text, row in zip(answers.texts, answers.cosines, strict=True)
    )
    return f"""<section>
<h2>All at once</h2>
<p class="about">Every text with every picture: the cosine of their rows, in hundredths. Texts stand in the order of
their pictures, so a model that understands both draws a diagonal.</p>
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
    return escape(shown(text))


def _data(image: Image.Image, side: int) -> str:
    """The picture as a JPEG inside a data: address, at most `side` pixels wide and high."""
    small = image.copy()
    small.thumbnail((side, side), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
