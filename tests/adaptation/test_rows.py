"""The rows to fit to: both views of every picture that can be decoded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from support.adaptable import contents, drawn_rows, picture, set_of

from contralto.adaptation.roles import assign_roles
from contralto.adaptation.rows import labelled_rows, only_decoded
from contralto.embeddings import unit
from contralto.errors import DataError
from contralto.image.decode import decode

TEXT = unit(np.random.default_rng(0).standard_normal((3, 8))).astype(np.float32)


@pytest.fixture
def roles(session):
    fit = [(place % 3, picture(place)) for place in range(6)]
    return assign_roles(session, set_of({"train": fit, "test": [(0, picture(90)), (1, picture(91))]}, "test"))


def test_rows_are_the_pictures_then_their_mirror_images(session, roles):
    folds = np.array([0, 1, 2, 0, 1, 2])
    rows, fit = labelled_rows(session, roles.fit, TEXT, folds)
    mirrored = [decode(one).transpose(Image.Transpose.FLIP_LEFT_RIGHT) for one in contents(roles.fit)]
    for got, encode in ((rows.embeddings, session.clip.encode_image), (rows.features, session.clip.features)):
        assert np.allclose(got[:6], encode(contents(fit)), atol=1e-5)
        assert np.allclose(got[6:], encode(mirrored), atol=1e-5)
    assert np.abs(rows.embeddings[:6] - rows.embeddings[6:]).max() > 1e-3
    assert rows.labels.tolist() == [0, 1, 2] * 4
    assert rows.picture.tolist() == [0, 1, 2, 3, 4, 5] * 2
    assert (rows.count, rows.folds.tolist()) == (6, folds.tolist())
    assert np.allclose(rows.zero_shot, 10 * TEXT)  # the scale of the contract


def test_held_out_parts_share_no_picture_and_cover_all():
    rows = drawn_rows((5, 7, 6))
    seen = []
    for others, places in rows.held_out():
        assert others.count + len(places) == 18
        assert len(others.embeddings) == 2 * others.count
        kept = np.delete(np.arange(18), places)
        assert (others.embeddings[: others.count] == rows.embeddings[kept]).all()
        assert (others.labels == rows.labels[np.concatenate([kept, kept + 18])]).all()
        assert (rows.of_places(places).features == rows.features[places]).all()
        seen += places.tolist()
    assert sorted(seen) == list(range(18))


def test_pictures_that_cannot_be_decoded_are_left_out_and_told(session, roles):
    bad = replace(roles.fit.data.items[2], picture=b"no picture")
    items = [*roles.fit.data.items[:2], bad, *roles.fit.data.items[3:]]
    fit = replace(roles.fit, data=replace(roles.fit.data, items=items))
    left = only_decoded(session, replace(roles, fit=fit, notes=("first",)))
    assert left.fit.labels.tolist() == [0, 1, 0, 1, 2]
    assert [item.key for item in left.fit.bare] == [f"train/{place}" for place in (0, 1, 3, 4, 5)]
    assert left.notes == ("first", "1 pictures of train cannot be decoded, such as train/2")
    assert only_decoded(session, roles) is roles


def test_nothing_that_can_be_decoded_is_an_error(session):
    fit = [(place % 3, b"no picture %d" % place) for place in range(6)]
    data = set_of({"train": fit, "test": [(0, picture(90))]}, "test")
    with pytest.raises(DataError, match="made has no picture to fit"):
        only_decoded(session, assign_roles(session, data))
