"""The typographic attack: the name of a wrong class on a white label in the picture.

Source: Goh et al. 2021, "Multimodal Neurons in Artificial Neural Networks", with a note "iPod" on an apple. The written
word is stored with each item, so that the share of answers with this word can be measured in addition to the accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from PIL import Image, ImageDraw, ImageFont

from contralto.errors import DataError
from contralto.metrics import UndefinedError
from contralto.sets.data_set import DataSet, Item, PictureChange
from contralto.sets.variants.lazy_items import change_picture, map_items
from contralto.sets.variants.randomness import generator, place

TYPOGRAPHIC_VERSION = 1
LETTER_HEIGHTS = 0.14, 0.2  # range of the font's height, in shares of the shorter side
LABEL_MARGIN = 0.35  # around the word, in heights of the font
MAX_LABEL_WIDTH = 0.9  # share of the shorter side
WRITTEN = "written"  # the key in Item.groups


def write_wrong_class(data_set: DataSet, seed: int = 0) -> DataSet:
    """Every picture with the name of a wrong class written on it; the item's `groups[WRITTEN]` is that name.

    The seed and the item's key determine the class, the letter size and the position, which lies within the centre
    crop. The font is Pillow's default. Raises DataError unless the data set has one class per picture, and several
    classes.
    """
    if data_set.task != "classes" or len(data_set.classes) < 2:
        raise UndefinedError(
            f"{data_set.name} has no wrong class to write on a picture: use a data set with one class per picture"
        )
    names = [one.name for one in data_set.classes]

    def alter(item: Item) -> Item:
        if item.label is None:
            raise DataError(f"{data_set.name}: {item.key} has no class, so no class is known to be wrong")
        wrong = int(generator("typographic", TYPOGRAPHIC_VERSION, seed, item.key).integers(len(names) - 1))
        word = names[wrong + (wrong >= item.label)]
        labelled = replace(item, groups={**item.groups, WRITTEN: word})
        return change_picture(
            labelled, PictureChange(f"typographic {word!r} seed {seed} v{TYPOGRAPHIC_VERSION}", _WordLabel(word, seed))
        )

    return map_items(data_set, alter)


@dataclass(frozen=True)
class _WordLabel:
    word: str
    seed: int

    def __call__(self, picture: Image.Image, key: str) -> Image.Image:
        random = generator("typographic label", TYPOGRAPHIC_VERSION, self.seed, key)
        label = self.draw(picture.size, random.uniform(*LETTER_HEIGHTS))
        attacked_picture = picture.copy()
        attacked_picture.paste(label, place(random, picture.size, label.size))
        return attacked_picture

    def draw(self, size: tuple[int, int], share: float) -> Image.Image:
        """The word in black on white. share: letter height / shorter side; reduced if the word is too wide."""
        height = share * min(size)
        wanted = _extent(self.word, height)[0] + 2 * LABEL_MARGIN * height
        height *= min(1.0, MAX_LABEL_WIDTH * min(size) / wanted)
        width, tall = _extent(self.word, height)
        edge = round(LABEL_MARGIN * height)
        label = Image.new("RGB", (min(size[0], round(width) + 2 * edge), min(size[1], round(tall) + 2 * edge)), "white")
        pen = ImageDraw.Draw(label)
        pen.text((label.width / 2, label.height / 2), self.word, "black", font=_font(height), anchor="mm")
        return label


def _font(height: float) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(max(1.0, height))
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


def _extent(word: str, height: float) -> tuple[float, float]:
    left, top, right, bottom = _font(height).getbbox(word, anchor="mm")
    return right - left, bottom - top
