"""What the texts say, read from the pixels alone."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from contralto.data.scenes import SCENE_COLOURS
from contralto.sets.drawn import drawn_set, question
from contralto.sets.drawn.composition import NUMBER_WORDS
from contralto.sets.drawn.description import DrawnScene
from contralto.sets.drawn.detail import HOURS
from contralto.sets.drawn.paint import paint_scene
from contralto.sets.drawn.shapes import POLYGONS

SHADOW = 64  # values by which a shadow may differ from the ground
GREYISH = 45  # the most by which the channels of grounds, shadows and black things differ


def objects(scene):
    """(pixels, masks (224, 224) of all connected things): what is darker than a shadow, or has a colour."""
    pixels = paint_scene(scene)
    empty = paint_scene(DrawnScene(scene.background, ()))
    inside = (np.abs(pixels.astype(int) - empty).max(2) > SHADOW) | (np.ptp(pixels, axis=2) > GREYISH)
    inside = ndimage.binary_fill_holes(ndimage.binary_closing(inside, iterations=2))  # highlights
    labels, count = ndimage.label(inside, np.ones((3, 3)))
    masks = [labels == place for place in range(1, count + 1)]
    return pixels, [mask for mask in masks if mask.sum() > 12]


def named(pixels, mask):
    """The colour whose hue is nearest to the mask's median."""
    colour = np.median(pixels[mask], 0).astype(float)
    if np.ptp(colour) < GREYISH:
        return "black"
    hues = {name: np.array(c) - min(c) for name, c in SCENE_COLOURS.items() if name != "black"}
    colour -= colour.min()
    cosines = {name: hue @ colour / np.linalg.norm(hue) for name, hue in hues.items()}
    return max(cosines, key=cosines.get)


def test_as_many_things_as_the_text_says():
    for index in range(36):
        asked = question("drawn_counting", index)
        _, masks = objects(asked.scene)
        assert f" {NUMBER_WORDS[len(masks) - 1]} " in asked.true


def test_things_lie_as_the_text_says():
    for index in range(36):
        asked = question("drawn_relations", index)
        pixels, masks = objects(asked.scene)
        assert len(masks) == 2
        centres = {named(pixels, mask): ndimage.center_of_mass(mask) for mask in masks}
        colours = [word for word in asked.true.split() if word in SCENE_COLOURS]
        (y, x), (other_y, other_x) = (centres[colour] for colour in colours)
        relation = asked.groups["relation"]
        lies = {"left of": x < other_x, "right of": x > other_x, "above": y < other_y, "below": y > other_y}
        assert lies[relation]
        assert f" {relation} " in asked.true


def test_things_have_the_colour_or_size_that_the_text_says():
    for index in range(36):
        asked = question("drawn_binding", index)
        pixels, masks = objects(asked.scene)
        assert len(masks) == 2
        middles = np.array([ndimage.center_of_mass(mask) for mask in masks]) / 224
        at = {part.shape: masks[np.hypot(*(middles - (part.y, part.x)).T).argmin()] for part in asked.scene.parts}
        wide = {shape: np.ptp(np.nonzero(mask), axis=1).max() for shape, mask in at.items()}
        for said in asked.true.split(" and "):
            _, word, shape = said.split()
            if asked.groups["attribute"] == "colour":
                assert named(pixels, at[shape]) == word
            else:
                assert (wide[shape] == max(wide.values())) == (word == "large")


@pytest.mark.parametrize("place", range(4))
def test_small_is_as_small_as_said(place):
    parts = 2 ** (place + 1)
    for index in range(place, 96, 4):
        asked = question("drawn_small", index)
        _, masks = objects(asked.scene)
        assert (asked.groups["share"], len(masks)) == (f"1/{parts}", 1)
        extent = (np.ptp(np.nonzero(masks[0]), axis=1) + 1).max()
        assert 0.68 * 224 <= extent * parts <= 224 + 2 * parts


def test_a_polygon_has_as_many_corners_as_its_name_says():
    for index in range(0, 48, 2):
        asked = question("drawn_fine", index)
        mask = max(objects(asked.scene)[1], key=np.sum)
        y, x = np.nonzero(mask)
        turns, distances = np.arctan2(y - y.mean(), x - x.mean()), np.hypot(y - y.mean(), x - x.mean())
        steps = ((turns + np.pi) / (2 * np.pi) * 180).astype(int) % 180
        profile = ndimage.maximum(distances, steps, np.arange(180))
        corners = int(np.argmax(np.abs(np.fft.rfft(profile - profile.mean()))[2:10])) + 2
        assert asked.true.split()[-1] == tuple(POLYGONS)[corners - 3]


def test_the_hour_hand_points_at_the_hour():
    for index in range(1, 48, 2):
        asked = question("drawn_fine", index)
        clock = asked.scene.parts[0]
        dark = paint_scene(asked.scene).max(2) < 110
        reading = []
        for hour in range(1, 13):  # on the short hand, where the long one is dark at twelve only
            turn = np.radians(30 * hour)
            y, x = (
                round(224 * (at + 0.3 * clock.radius * d))
                for at, d in ((clock.y, -np.cos(turn)), (clock.x, np.sin(turn)))
            )
            reading.append(dark[y, x])
        shown = [hour for hour in range(1, 13) if reading[hour - 1]]
        assert reading[11]
        hour = shown[0]
        assert len(shown) == (1 if hour == 12 else 2)
        assert asked.true == f"a clock that shows {HOURS[hour - 1]} o'clock"


def inked(mask):
    y, x = np.nonzero(mask)
    part = Image.fromarray(mask[y.min() : y.max() + 1, x.min() : x.max() + 1].astype(np.uint8) * 255)
    return np.asarray(part.resize((90, 30), Image.Resampling.BOX), float) / 255, part.width / part.height


def test_the_word_written_is_the_word_said():
    for index in range(0, 48, 4):
        asked = question("drawn_text", index)
        pixels, empty = paint_scene(asked.scene).astype(int), paint_scene(DrawnScene(asked.scene.background, ()))
        written, _ = inked(np.abs(pixels - empty).max(2) > 60)
        losses = {}
        for text in (asked.true, *asked.others):
            word = Image.new("L", (400, 100))
            ImageDraw.Draw(word).text((200, 50), text.split('"')[1], 255, ImageFont.load_default(50), anchor="mm")
            losses[text] = np.abs(inked(np.asarray(word) > 128)[0] - written).mean()
        assert min(losses, key=losses.get) == asked.true


def test_all_styles_stay_within_the_picture_and_can_be_read():
    for index in range(48):
        asked = question("drawn_text", index)
        pixels, empty = paint_scene(asked.scene).astype(int), paint_scene(DrawnScene(asked.scene.background, ()))
        ink = np.abs(pixels - empty).max(2) > 60
        y, x = np.nonzero(ink)
        assert min(y.min(), x.min()) > 0
        assert max(y.max(), x.max()) < 223
        height = np.ptp(y) + 1
        assert height < 20 if asked.groups["style"] == "small" else height > 20


def test_grounds_are_no_colour():
    for item in drawn_set("drawn_text", 12).items:
        corner = item.picture[:6, :6].reshape(-1, 3).mean(0)
        assert corner.min() > 175
        assert np.ptp(corner) < 25
