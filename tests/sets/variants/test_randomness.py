import numpy as np
import pytest

from contralto.sets.variants.randomness import generator, place


def test_generators_depend_on_every_part_and_on_where_parts_end():
    def first(*named):
        return generator(*named).integers(2**62)

    assert first("a", 1) == first("a", 1)
    assert len({first("a", 1), first("a", 2), first("a1"), first("a", "1 "), first("", "a", 1), first("a", 1, "")}) == 6


@pytest.mark.parametrize(("canvas", "part"), [((60, 40), (15, 10)), ((40, 60), (39, 2)), ((9, 9), (1, 1))])
def test_places_are_drawn_in_the_central_square(canvas, part):
    random, square = generator("places"), min(canvas)
    positions = np.array([place(random, canvas, part) for _ in range(3000)])
    start = (np.array(canvas) - square) // 2
    assert (positions.min(0) == start).all()
    assert (positions.max(0) == start + square - part).all()


def test_a_part_without_room_is_put_in_the_middle():
    assert place(generator("places"), (60, 40), (50, 40)) == (5, 0)
    assert place(generator("places"), (60, 40), (60, 40)) == (0, 0)
