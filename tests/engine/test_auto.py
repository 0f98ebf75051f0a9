"""auto: which precision it may choose, when it measures, and that it uses cached measurements."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.small_models import ids, pixels
from support.tower_measurements import CountingSamples, measure_tower, measurement

from contralto.engine import auto, made_in, measure, measurements_cache, precision_of, report, start
from contralto.engine.auto import AUTO_FROM, AutoPrecision
from contralto.engine.base import TOWER_NAMES, TowerName
from contralto.engine.measure import Overrun, TowerMeasurements
from contralto.errors import ContraltoError
from contralto.weights.checkpoint import Checkpoint


def batch(model, tower: str, count: int = 5) -> np.ndarray:
    return pixels(model.contract, count) if tower == "image" else ids(model.contract, count)


def rows(engine, tower: str, given: np.ndarray) -> np.ndarray:
    return engine.image(given) if tower == "image" else engine.text(given)


@pytest.fixture(scope="module")
def int8_towers(checkpoint) -> dict[TowerName, Checkpoint]:
    """Both towers in int8."""
    model = checkpoint("vit + causal")
    return {tower: measure_tower(model, tower).int8 for tower in TOWER_NAMES}


@pytest.fixture
def int8_cached(model, cache: Path, int8_towers: dict[TowerName, Checkpoint]) -> None:
    """Both towers were measured on this machine, and int8 is the fastest of each."""
    for tower, int8 in int8_towers.items():
        lines = [measurement("fp32", 10, 1.0, tower), measurement("int8", 40, 0.9995, tower)]
        measurements_cache.save_measurements(model, tower, lines, int8)


@pytest.mark.parametrize("tower", ["image", "text"])
@pytest.mark.parametrize("calls", [(1,), (20, 20, 20), (-1,), (5, 0, 3)])
def test_little_work_is_fp32_whatever_is_cached(model, int8_cached, tower: str, calls: tuple[int, ...]) -> None:
    engine, given = start(model, CountingSamples(model.contract)), batch(model, tower)
    exact = rows(start(model), tower, given)
    for count in calls:
        part = engine.engine_for(tower, count % AUTO_FROM[tower])
        assert (rows(part, tower, given) == exact).all()
        assert (part.precision, engine.precision) == ("fp32", "fp32")


@pytest.mark.parametrize("tower", ["image", "text"])
@pytest.mark.parametrize("calls", [(0,), (-1, 1), (1, -2, 5)])
def test_much_work_takes_what_is_cached(model, int8_cached, tower: str, calls: tuple[int, ...]) -> None:
    samples = CountingSamples(model.contract)
    engine = start(model, samples)
    for count in calls:
        before = engine.precision
        part = engine.engine_for(tower, count % AUTO_FROM[tower] or AUTO_FROM[tower])
    assert before == "fp32"
    assert part.precision == "int8"
    assert engine.precision == ("int8 (image), fp32 (text)" if tower == "image" else "fp32 (image), int8 (text)")
    other = "text" if tower == "image" else "image"
    assert (precision_of(engine, tower), precision_of(engine, other)) == ("int8", "fp32")
    assert samples.uses == 0
    assert engine.engine_for(tower, 1).precision == "int8"  # settled


def test_a_call_keeps_the_precision_that_it_began_with(model, int8_cached) -> None:
    engine, given = start(model, CountingSamples(model.contract)), batch(model, "image")
    little = engine.engine_for("image", 5)
    exact = little.image(given)
    much = engine.engine_for("image", 1000)
    assert (little.image(given) == exact).all()
    assert (little.precision, much.precision) == ("fp32", "int8")


def test_a_batch_that_nobody_announced_counts_for_itself(model, int8_cached) -> None:
    engine = start(model, CountingSamples(model.contract))
    engine.image(batch(model, "image", 63))
    assert engine.precision == "fp32"
    engine.image(batch(model, "image", 1))
    assert engine.precision == "int8 (image), fp32 (text)"


def test_a_report_settles_and_one_that_measures_nothing_does_not(model, int8_cached, cache: Path) -> None:
    engine = start(model, CountingSamples(model.contract))
    told = report(engine, measure=False)
    assert (told.precision, engine.precision, len(told.measured)) == ("int8", "fp32", 4)
    assert "from 64 pictures on" in told.why
    assert "from 256 texts on" in told.why
    assert report(engine).precision == engine.precision == "int8"
    assert engine.engine_for("image", 1).precision == "int8"
    told = report(engine, measure=False)
    assert (told.precision, "pictures on" in told.why) == ("int8", False)


@pytest.mark.parametrize("precision", ["auto", "int8"])
def test_a_report_of_what_was_never_measured_says_so(model, cache: Path, precision: str) -> None:
    samples = CountingSamples(model.contract)
    engine = start(model, samples, precision=precision)
    stated = precision.replace("auto", "fp32")
    told = report(engine, measure=False)
    assert (told.precision, told.measured, samples.uses) == (stated, (), 0)
    assert told.why == "; ".join(f"{tower} {stated}: not measured on this machine yet" for tower in ("image", "text"))
    assert not cache.exists()


def test_it_is_measured_only_if_that_takes_a_tenth_of_the_work(model, monkeypatch) -> None:
    monkeypatch.setattr(measure, "estimate_rate", lambda *_: 100.0)  # pictures a second
    monkeypatch.setattr(measure, "expected_seconds", lambda *_: 3.0)
    given: list[float] = []
    monkeypatch.setattr(auto._Tower, "_measure", lambda self, seconds: given.append(seconds) or _overrun())
    for count, wanted in ((100, []), (2990, []), (3010, [3.01]), (10000, [10.0])):
        given.clear()
        engine = start(model, CountingSamples(model.contract))
        for _ in range(3):  # what earlier calls brought does not pay; and it is tried once
            engine.engine_for("image", count)
        assert given == pytest.approx(wanted)


def test_a_damaged_file_is_no_reason_to_measure_before_work_that_does_not_pay_it(model, int8_cached, cache) -> None:
    for path in cache.iterdir():
        whole = path.read_bytes()
        path.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    samples = CountingSamples(model.contract)
    assert start(model, samples).engine_for("image", 100).precision == "fp32"
    assert samples.uses == 0


def _overrun() -> None:
    raise Overrun


def test_few_items_are_no_reason_even_to_look_how_fast_a_tower_is(model, monkeypatch) -> None:
    monkeypatch.setattr(measure, "estimate_rate", lambda *_: pytest.fail("measured"))
    for tower, most in measure.MEASURING_ITEMS.items():
        start(model, CountingSamples(model.contract)).engine_for(tower, most * 10 - 1)


def test_measuring_that_takes_too_long_is_given_up_and_nothing_is_kept(model, cache: Path, monkeypatch, caplog) -> None:
    monkeypatch.setattr(measure, "expected_seconds", lambda *_: 0.0)
    monkeypatch.setattr(measure, "estimate_rate", lambda *_: 1e9)  # so that there is no time for it
    caplog.set_level("INFO", "contralto")
    engine, given = start(model, CountingSamples(model.contract)), batch(model, "image")
    part = engine.engine_for("image", 2000)
    assert (part.image(given) == start(model).image(given)).all()
    assert not cache.exists()
    assert "takes too long now: it is computed in fp32" in caplog.text
    assert report(engine).measured  # who asks for it explicitly gets it


@pytest.mark.parametrize("after", range(5))
def test_an_interrupt_leaves_nothing_and_the_next_one_measures(model, cache: Path, monkeypatch, after: int) -> None:
    def interrupt(self, what, done) -> None:
        if done >= 3 * after:
            raise KeyboardInterrupt

    engine = start(model, CountingSamples(model.contract))
    with monkeypatch.context() as patched:
        patched.setattr(measure._Steps, "_tell", interrupt)
        with pytest.raises(KeyboardInterrupt):
            report(engine)
    assert not cache.exists()
    assert engine.precision == "fp32"
    assert report(engine).measured


def test_much_work_is_measured_once_and_cached(model, cache: Path) -> None:
    samples = CountingSamples(model.contract)
    first = start(model, samples)
    for _ in range(3):
        first.engine_for("image", 2**40)
    assert isinstance(first, AutoPrecision)
    assert samples.uses == 2  # once for how long it takes in fp32
    again = start(model, samples)
    given = pixels(model.contract)
    assert (again.engine_for("image", 64).image(given) == first.image(given)).all()
    assert samples.uses == 2
    assert report(again, measure=False).measured == report(first, measure=False).measured
    assert [path.name.split("-")[-1] for path in cache.iterdir()] == ["image.safetensors"]
    report(again)
    assert samples.uses == 3


def test_int8_is_given_where_it_is_asked_for_and_refused_where_it_is_too_coarse(model, monkeypatch) -> None:
    result = measure_tower(model, "image")

    def coarse(cosine: float) -> TowerMeasurements:
        return result._replace(measurements=[*result.measurements[:-1], measurement("int8", 1.0, cosine)])

    monkeypatch.setattr(measure, "measure", lambda *_: coarse(0.9899))
    with pytest.raises(ContraltoError, match=r"int8 is too coarse for the image tower of small: .* 0\.9899 to fp32"):
        start(model, CountingSamples(model.contract), precision="int8").engine_for("image", 1)
    with pytest.raises(ContraltoError, match="int8 is calibrated on samples"):
        start(model, precision="int8")
    measurements_cache.save_measurements(model, "image", coarse(0.991).measurements, result.int8)
    engine = start(model, CountingSamples(model.contract), precision="int8")
    engine.engine_for("image", 1)
    assert engine.precision == "int8"
    assert engine.image(pixels(model.contract)).shape == start(model).image(pixels(model.contract)).shape


def _int8(model, samples: CountingSamples) -> np.ndarray:
    engine = start(model, samples, precision="int8")
    return engine.image(pixels(model.contract))


def test_rows_are_named_by_what_they_are_made_in(model) -> None:
    samples = CountingSamples(model.contract)
    assert made_in(start(model, precision="fp32"), "image") == "fp32"
    auto = start(model, samples)
    assert (made_in(auto, "image"), made_in(auto, "text"), samples.uses) == ("auto", "auto", 0)
    settled = [choice.precision for choice in auto.choices(settle=True)]
    assert [made_in(auto, tower).split()[0] for tower in ("image", "text")] == settled


def test_rows_in_int8_are_named_by_what_it_was_fitted_to(model) -> None:
    samples = CountingSamples(model.contract)
    first = made_in(start(model, samples, precision="int8"), "image")
    precision, digest = first.split()
    assert (precision, len(digest), samples.uses) == ("int8", 64, 1)
    assert made_in(start(model, samples, precision="int8"), "image") == first
    assert samples.uses == 1, "its samples are not needed again"
    others = CountingSamples(model.contract)
    others.pixels = lambda: pixels(model.contract, 8)[::-1] * 0.1
    engine = start(model, samples, precision="int8")
    assert made_in(engine, "image") == first
    engine.recalibrate(others)
    assert made_in(engine, "image") != first
    assert made_in(start(model, samples, precision="int8"), "image") == made_in(engine, "image")
