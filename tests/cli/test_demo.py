import base64
import io
import json
import re
import sys
from html.parser import HTMLParser

import pytest
from PIL import Image
from support import fake_explanations
from support.fake_clip import paint

from contralto.cli.demo import drawing, gallery, results, where


@pytest.fixture(autouse=True)
def explained(monkeypatch):
    monkeypatch.setattr(where, "explain_texts", fake_explanations.explain_texts)


@pytest.fixture
def page(cli, clip, tmp_path):
    """Runs the demo; gives its result and the page."""

    def run(*arguments):
        result = cli("demo", *arguments, "--out", tmp_path / "out")
        return result, (tmp_path / "out" / "index.html").read_text(encoding="utf-8")

    return run


class Tags(HTMLParser):
    """Collects tags with their attributes, and checks that they nest."""

    EMPTY = ("meta", "br", "img")

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.text = [], [], ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def test_the_page_holds_everything_and_loads_nothing(page):
    result, html = page()
    assert result.code == 0
    assert not re.search(r"(src|href|action|data)\s*=\s*[\"']?\s*(https?:)?//", html)
    assert not re.search(r"url\(|@import|<script|<link|<iframe", html)
    tags = Tags(html)
    images = tags.all("img")
    assert images
    for image in images:
        kind, data = image["src"].split(",", 1)
        assert kind == "data:image/jpeg;base64"
        with Image.open(io.BytesIO(base64.b64decode(data, validate=True))) as opened:
            opened.load()
        assert image["alt"]
    assert ("name", "viewport") in [item for meta in tags.all("meta") for item in meta.items()]
    assert "prefers-color-scheme: dark" in html


def test_it_shows_a_card_a_picture_five_searches_and_every_cosine(page):
    _, html = page()
    known = len(gallery.photographs()) + len(drawing.DRAWINGS)
    tags = Tags(html)
    classes = [attributes.get("class") for _, attributes in tags.tags]
    assert classes.count("card") == known
    assert classes.count("search") == len(results.SEARCH_QUERIES) == 5
    assert classes.count("right") + classes.count("wrong") == known
    heat = [attributes for attributes in tags.all("td") if "title" in attributes]
    assert len(heat) == known * known
    assert all(-1 <= float(cell["title"]) <= 1.001 and "--heat:" in cell["style"] for cell in heat)


def test_it_shows_where_things_are(page):
    _, html = page()
    maps = re.search(r'<div class="maps">(.*?)</div>', html, re.DOTALL)[1]
    named = {picture.name for picture in gallery.photographs()} | set(drawing.DRAWINGS)
    texts = [text for name, several in where.THINGS.items() if name in named for text in several]
    assert re.findall(r"<b>(.*?)</b>", maps) == texts
    assert set(where.THINGS) <= set(gallery.PHOTOGRAPHS) | set(drawing.DRAWINGS)
    assert "contralto explain PICTURE" in html


def test_json_is_the_path_of_the_page_and_a_person_gets_the_tables(cli, clip, tmp_path):
    result = cli("demo", "--out", tmp_path / "a" / "b", "--json")
    assert [*map(json.loads, result.out.splitlines())] == [{"page": str(tmp_path / "a" / "b" / "index.html")}]
    shown = cli("demo", "--out", tmp_path / "c").out
    assert shown.splitlines()[-1] == f"page: {tmp_path / 'c' / 'index.html'}"
    assert shown.count("\nsearch ") == 5


def test_pictures_of_a_folder_join_and_their_names_are_escaped(page, tmp_path):
    name = '<script>alert("1")&\n.png'
    paint(tmp_path / "mine" / name, "red")
    (tmp_path / "mine" / "bad.jpg").write_bytes(b"no picture")
    result, html = page(tmp_path / "mine")
    assert result.code == 3
    assert f"{tmp_path / 'mine' / 'bad.jpg'}: " in result.err
    assert "<script" not in html
    assert '<script>alert("1")&\\n.png' in Tags(html).text
    assert "bad.jpg" not in html


def test_a_large_folder_is_sampled_evenly_and_that_is_said(page, tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "MAX_USER_PICTURES", 3)
    for i in range(7):
        paint(tmp_path / "mine" / f"{i}.png", "blue")
    result, html = page(tmp_path / "mine")
    assert "3 of the 7 pictures" in result.err
    assert re.findall(r">(\d\.png)<", html) == ["0.png", "2.png", "4.png"]


def test_without_scikit_image_only_drawings_and_it_says_so(page, monkeypatch):
    monkeypatch.setattr(gallery.importlib.util, "find_spec", lambda name: None)
    result, html = page()
    assert result.code == 0
    assert "scikit-image is not installed" in result.err
    assert html.count('class="card"') == len(drawing.DRAWINGS)


def test_photographs_are_files_of_the_installed_wheel_read_without_importing_it():
    pytest.importorskip("skimage")
    for name in [name for name in sys.modules if name.partition(".")[0] in ("skimage", "pooch")]:
        del sys.modules[name]
    photographs = gallery.photographs()
    assert {picture.name for picture in photographs} == set(gallery.PHOTOGRAPHS)
    assert "pooch" not in sys.modules
    assert "skimage" not in sys.modules


def test_a_folder_without_pictures_is_1(cli, clip, tmp_path):
    (tmp_path / "empty").mkdir()
    assert cli("demo", tmp_path / "empty", "--out", tmp_path / "out").code == 1


def test_no_browser_opens_without_a_terminal(cli, clip, tmp_path, monkeypatch):
    monkeypatch.setattr("webbrowser.open", pytest.fail)
    assert cli("demo", "--out", tmp_path / "out").code == 0


@pytest.mark.parametrize("name", drawing.DRAWINGS)
def test_drawings_are_the_same_each_time_and_all_differ(name):
    image = drawing.DRAWINGS[name]()
    assert (image.size, image.mode) == ((drawing.DRAWING_SIDE, drawing.DRAWING_SIDE), "RGB")
    assert image.tobytes() == drawing.DRAWINGS[name]().tobytes()
    assert len(image.getcolors(1 << 20)) > 1


def test_the_drawn_circle_and_square_are_what_they_are_called():
    circle, square = drawing.red_circle(), drawing.blue_square()
    middle, side = drawing.DRAWING_SIDE // 2, drawing.DRAWING_SIDE
    assert circle.getpixel((middle, middle)) == drawing.RED
    assert circle.getpixel((round(0.22 * side), round(0.22 * side))) == drawing.WHITE  # outside, though in its box
    assert square.getpixel((round(0.22 * side), round(0.22 * side))) == drawing.BLUE


def test_a_page_that_cannot_be_written_is_refused_before_the_work(cli, clip, tmp_path):
    (tmp_path / "file").touch()
    for name, said in (("file", "is not a folder"), ("page.html", "suffix of a file")):
        result = cli("demo", "--out", tmp_path / name)
        assert (result.code, len(result.err.splitlines())) == (1, 1)
        assert said in result.err
    assert clip.seen == []
