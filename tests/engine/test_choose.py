"""auto: what it may choose, when it measures, that it remembers, and that what it kept is checked before use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_models import ids, pixels

from contralto.engine import choose, made_in, remembered, start
from contralto.engine.choose import Chosen, fastest
from contralto.engine.machine import runtime
from contralto.engine.measure import Measured, measure
from contralto.engine.openvino import version
from contralto.errors import ContraltoError


class Samples:
    """Batches of a small contract; it counts how often they were asked for."""

    def __init__(self, contract) -> None:
        self.contract, self.asked = contract, 0

    def pixels(self) -> np.ndarray:
        self.asked += 1
        return pixels(self.contract, 8)

    def ids(self) -> np.ndarray:
        self.asked += 1
        return ids(self.contract, 8)


@pytest.fixture
def cache(own_cache: Path) -> Path:
    return own_cache / remembered.FOLDER


@pytest.fixture
def model(checkpoint):
    return checkpoint("vit + causal")


def of(precision: str, per_second: float, cosine: float, tower: str = "image") -> Measured:
    return Measured("openvino", precision, tower, per_second, cosine)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("others", "wanted"),
    [
        ([of("bf16", 30, 0.9995), of("int8", 40, 0.9995)], "int8"),
        ([of("bf16", 30, 0.9995), of("int8", 40, 0.9992)], "bf16"),  # what is 0.9992 on samples may be 0.999 elsewhere
        ([of("bf16", 0.3, 1.0), of("int8", 40, 0.9)], "fp32"),  # a processor that emulates bf16
        ([of("bf16", 30, 0.99985, "text"), of("int8", 9, 0.9995, "text")], "fp32"),
        ([of("bf16", 30, 0.99985, "text"), of("int8", 11, 0.9995, "text")], "int8"),
        ([of("int8", 99, float("nan"))], "fp32"),
    ],
)
def test_the_fastest_that_keeps_the_bound(others: list[Measured], wanted: str) -> None:
    assert fastest([of("fp32", 10, 1.0, others[0].tower), *others]).precision == wanted


def test_little_work_is_done_in_fp32_and_measures_nothing(model) -> None:
    samples = Samples(model.contract)
    engine = start(model, samples)
    engine.expect("image", 5)
    rows = engine.image(pixels(model.contract))
    assert (rows == start(model).image(pixels(model.contract))).all()
    assert (engine.precision, samples.asked) == ("fp32", 0)


def test_what_is_much_depends_on_how_long_it_takes(model, monkeypatch) -> None:
    for rate, settled in ((100.0, False), (1.0, True)):
        monkeypatch.setattr(choose, "per_second", lambda *_, rate=rate: rate)
        engine = start(model, Samples(model.contract))
        for _ in range(5):
            engine.expect("image", 100)
        assert isinstance(engine, Chosen)
        assert bool(engine._engines) == settled


def test_much_work_is_measured_once_and_remembered(model, cache: Path) -> None:
    samples = Samples(model.contract)
    first = start(model, samples)
    for _ in range(3):
        first.expect("image", 2**40)
    assert isinstance(first, Chosen)
    assert samples.asked == 2  # once for how long it takes in fp32
    samples.asked = 1
    again = start(model, samples)
    assert again.precision == first.precision
    again.expect("image", 1)
    assert samples.asked == 1
    assert again.choice("image") == first.choice("image")
    assert (again.image(pixels(model.contract)) == first.image(pixels(model.contract))).all()
    assert [path.name.split("-")[-1] for path in cache.iterdir()] == ["image.safetensors"]
    again.choice("text")
    assert samples.asked == 2


def test_fp32_is_the_measure_of_all(model) -> None:
    for side in ("image", "text"):
        measured, made = measure(model, side, Samples(model.contract))
        assert (measured[0].precision, measured[0].cosine) == ("fp32", 1)
        assert measured[-1].precision == "int8"
        assert all(one.per_second > 0 and 0.9 < one.cosine <= 1.000001 for one in measured)
        assert any(stored.dtype == "I8" for stored in made.tensors.values())


def test_int8_is_given_where_it_is_asked_for_and_refused_where_it_is_too_coarse(model, monkeypatch) -> None:
    def measured(cosine: float):
        found, made = measure(model, "image", Samples(model.contract))
        return [*found[:-1], of("int8", 1.0, cosine)], made

    monkeypatch.setattr(choose, "measure", lambda *_: measured(0.9899))
    with pytest.raises(ContraltoError, match=r"int8 is too coarse for the image tower of small: .* 0\.9899 to fp32"):
        start(model, Samples(model.contract), precision="int8").expect("image", 1)
    with pytest.raises(ContraltoError, match="int8 is fitted to samples"):
        start(model, precision="int8")
    remembered.keep(model, "image", *measured(0.991))
    engine = start(model, Samples(model.contract), precision="int8")
    engine.expect("image", 1)
    assert engine.precision == "int8"
    assert engine.image(pixels(model.contract)).shape == start(model).image(pixels(model.contract)).shape


def test_a_damaged_file_is_made_anew(model, cache: Path) -> None:
    samples = Samples(model.contract)
    start(model, samples, precision="int8").expect("image", 1)
    (path,) = cache.iterdir()
    whole = path.read_bytes()
    rows = _int8(model, samples)
    assert samples.asked == 1
    for damaged in (whole[:-1], whole[:-9] + b"\x01" + whole[-8:], b"", b"nonsense"):
        path.write_bytes(damaged)
        before = samples.asked
        assert _int8(model, samples) == pytest.approx(rows, abs=1e-6)
        assert samples.asked == before + 1
        assert len(path.read_bytes()) == len(whole)


def _int8(model, samples: Samples) -> np.ndarray:
    engine = start(model, samples, precision="int8")
    return engine.image(pixels(model.contract))


def test_another_processor_or_version_measures_for_itself(model, monkeypatch) -> None:
    samples = Samples(model.contract)
    start(model, samples).choice("image")
    monkeypatch.setattr(remembered, "fingerprint", lambda: "another")
    start(model, samples).choice("image")
    assert samples.asked == 2


def test_a_cache_that_cannot_be_written_costs_only_the_measuring(model, monkeypatch, tmp_path: Path, caplog) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CONTRALTO_CACHE", str(tmp_path / "file"))
    samples = Samples(model.contract)
    rows = _int8(model, samples)
    assert rows.shape[1] == model.contract.embedding
    assert "is not kept" in caplog.text


def test_rows_are_named_by_what_they_are_made_in(model) -> None:
    samples = Samples(model.contract)
    assert made_in(start(model, precision="fp32"), "image") == "fp32"
    auto = start(model, samples)
    assert (made_in(auto, "image"), made_in(auto, "text"), samples.asked) == ("auto", "auto", 0)
    settled = auto.choice("image").precision
    assert made_in(auto, "image").split()[0] == settled
    assert made_in(auto, "text") == "auto"


def test_rows_in_int8_are_named_by_what_it_was_fitted_to(model) -> None:
    samples = Samples(model.contract)
    first = made_in(start(model, samples, precision="int8"), "image")
    precision, digest = first.split()
    assert (precision, len(digest), samples.asked) == ("int8", 64, 1)
    assert made_in(start(model, samples, precision="int8"), "image") == first
    assert samples.asked == 1, "its samples are not needed again"
    others = Samples(model.contract)
    others.pixels = lambda: pixels(model.contract, 8)[::-1] * 0.1
    engine = start(model, samples, precision="int8")
    assert made_in(engine, "image") == first
    engine.refit(others)
    assert made_in(engine, "image") != first
    assert made_in(start(model, samples, precision="int8"), "image") == made_in(engine, "image")


def test_the_runtime_of_an_engine_states_its_version(monkeypatch) -> None:
    assert version().startswith(runtime("openvino").removeprefix("openvino "))
    stated = {"openvino": "1", "torch": "2"}
    monkeypatch.setattr("importlib.metadata.version", stated.__getitem__)
    assert [runtime(name) for name in ("openvino", "eager", "compiled")] == ["openvino 1", "torch 2", "torch 2"]
