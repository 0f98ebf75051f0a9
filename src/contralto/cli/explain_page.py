"""The page of `contralto explain`: pictures, maps and words. It loads only the maps beside it, and runs no script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import quote

from contralto.apply.picture import upright
from contralto.cli.explained_picture import FULL_BAR, ExplainedPicture, unseen, verdict, where
from contralto.evaluation.report.data_address import data_address
from contralto.evaluation.report.document import document
from contralto.evaluation.report.words import text as html
from contralto.version import __version__

if TYPE_CHECKING:
    from contralto.apply.explain import Explanation

THUMBNAIL_SIDE: Final = 420  # pixels
JPEG_QUALITY: Final = 80

EXPLAIN_CSS: Final = """
.explained { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 320px), 1fr)); gap: 28px 24px; }
.explained img {
  width: 100%; height: auto; border-radius: 10px; border: 1px solid var(--line); display: block; background: #fff;
}
.explained figcaption { margin-top: 10px; font-size: .92rem; overflow-wrap: anywhere; }
.explained h3 { margin: 0 0 2px; } .explained p { color: var(--soft); font-size: .86rem; margin-top: 4px; }
.words { border-collapse: collapse; width: auto; margin-top: 8px; } .words td { padding: 1px 10px 1px 0; }
.words .effect { text-align: right; font-variant-numeric: tabular-nums; } .words .room { width: 110px; }
.words .room span { display: block; height: 8px; border-radius: 2px; background: var(--accent); }
.words .room .less { background: none; border: 1px solid var(--soft); }
.reading { max-width: 74ch; padding-left: 1.2em; } .reading li + li { margin-top: 8px; }
@media print { .explained figure { break-inside: avoid; } }
"""

READING: Final = """
<li>Colours go from black (a little) through green and yellow to white (most). Where nothing is drawn, the place does
not speak for the text. All maps of one picture share one scale, and its numbers are below each map: a faint map is a
weak reason. The ring marks the peak.</li>
<li>Hatched parts were cut off before the model saw the picture. Nothing can be said about them.</li>
<li>The bar of a word is the cosine that the text loses without it. An empty bar: the text fits better without the
word.</li>
<li>The check compares the map with that of random weights, by Spearman's rank correlation. Near 0 is good. Near 1 the
map shows the picture, not what the model knows.</li>"""

NOT: Final = """
<li>A map shows what moved one cosine of one model. It does not show that the thing is there: a weak text lights up
something too. Compare the cosines first.</li>
<li>It is no outline of a thing, and no box: the cells of the model are coarse, and each sees far beyond its edges. For
boxes use <code>contralto detect</code>.</li>
<li>It is no reason in a human sense, and no ground for a decision about a person.</li>"""


def card(picture: ExplainedPicture, alpha: Literal["white", "drop"]) -> str:
    """The section of one picture as HTML."""
    photo = data_address(upright(picture.path, alpha), THUMBNAIL_SIDE, JPEG_QUALITY)
    sentence = unseen(picture.explanations[0])
    about = f'<p class="about">{sentence[:1].upper()}{sentence[1:]}.</p>' if sentence else ""
    original = f'<figure><img src="{photo}" alt="{html(picture.path)}"><figcaption>The picture</figcaption></figure>'
    maps = "".join(
        _map(text, one, "" if file is None else quote(file.name))
        for text, one, file in zip(picture.texts, picture.explanations, picture.maps, strict=True)
    )
    return f'<section><h2>{html(picture.path)}</h2>{about}<div class="explained">{original}{maps}</div></section>\n'


def page(cards: list[str], model: str, against: str | None) -> str:
    """The whole page. cards: from `card`. against: the text that all texts were compared with."""
    rather = f" rather than for “{html(against)}”" if against is not None else ""
    body = f"""<header>
<p class="mark">contralto</p>
<h1>Where, and which words</h1>
<p class="lead">What speaks for each text{rather}, in the eyes of {html(model)}: places of the picture, and words.</p>
</header>
<main>
{"".join(cards)}<section><h2>How to read this</h2><ul class="reading">{READING}</ul></section>
<section><h2>What it is not</h2><ul class="reading">{NOT}</ul></section>
</main>
<footer><p>Made with contralto {html(__version__)}. This page loads only the maps beside it.</p></footer>
"""
    return document(f"Explained by {model}", body, EXPLAIN_CSS)


def _map(text: str, explanation: Explanation, source: str) -> str:
    peak = explanation.peak
    place = (
        "No place speaks for it."
        if peak is None
        else f"Peak: {where(peak, explanation.size)}, pixel {peak[0]}, {peak[1]}."
    )
    check = ""
    if explanation.sanity is not None:
        check = f"<p>Check {explanation.sanity:.2f}: {verdict(explanation.sanity)}.</p>"
    rows = "".join(_word(word, effect) for word, effect in explanation.words)
    return (
        f'<figure><img src="{source}" alt="map of {html(text)}"><figcaption><h3>{html(text)}</h3>'
        f"<p>Cosine {explanation.cosine:.3f}. Method: {explanation.method}. {place}</p>{check}"
        f'<table class="words">{rows}</table></figcaption></figure>\n'
    )


def _word(word: str, effect: float | None) -> str:
    if effect is None:
        return f'<tr><td>{html(word)}</td><td colspan="2" class="soft">the only word</td></tr>'
    width = min(100, round(100 * abs(effect) / FULL_BAR))
    bar = f'<span{"" if effect > 0 else " class=less"} style="width:{width}%"></span>'
    return f'<tr><td>{html(word)}</td><td class="effect">{effect:+.3f}</td><td class="room">{bar}</td></tr>'
