"""auto: what it may choose, when it measures, that it remembers, and that what it kept is checked before use."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from support.small_models import ids, pixels

from contralto.engine import chosen, made_in, measure, remembered, report, start
from contralto.engine.chosen import FEW, Chosen
from contralto.engine.machine import runtime
from contralto.engine.measure import Found, Measured, Overrun, fastest
from contralto.engine.openvino import OpenVINO, version
from contralto.errors import ContraltoError
from contralto.weights.checkpoint import Checkpoint


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


def batch(model, side: str, count: int = 5) -> np.ndarray:
    return pixels(model.contract, count) if side == "image" else ids(model.contract, count)


def rows(engine, side: str, given: np.ndarray) -> np.ndarray:
    return engine.image(given) if side == "image" else engine.text(given)


@pytest.fixture(scope="module")
def in_int8(checkpoint) -> dict[str, Checkpoint]:
    """Both towers in int8."""
    model = checkpoint("vit + causal")
    return {side: measured(model, side).int8 for side in ("image", "text")}


@pytest.fixture
def int8_remembered(model, cache: Path, in_int8: dict[str, Checkpoint]) -> None:
    """Both towers were measured on this machine, and int8 is the fastest of each."""
    for side, tower in in_int8.items():
        remembered.keep(model, side, [of("fp32", 10, 1.0, side), of("int8", 40, 0.9995, side)], tower)


def measured(model, side: str, samples: Samples | None = None) -> Found:
    return measure.measure(model, side, samples or Samples(model.contract), OpenVINO(model))


@pytest.mark.parametrize("side", ["image", "text"])
@pytest.mark.parametrize("calls", [(1,), (20, 20, 20), (-1,), (5, 0, 3)])
def test_little_work_is_fp32_whatever_is_remembered(model, int8_remembered, side: str, calls: tuple[int, ...]) -> None:
    engine, given = start(model, Samples(model.contract)), batch(model, side)
    exact = rows(start(model), side, given)
    for count in calls:
        part = engine.expect(side, count % FEW[side])
        assert (rows(part, side, given) == exact).all()
        assert (part.precision, engine.precision) == ("fp32", "fp32")


@pytest.mark.parametrize("side", ["image", "text"])
@pytest.mark.parametrize("calls", [(0,), (-1, 1), (1, -2, 5)])
def test_much_work_takes_what_is_remembered(model, int8_remembered, side: str, calls: tuple[int, ...]) -> None:
    samples = Samples(model.contract)
    engine = start(model, samples)
    for count in calls:
        before = engine.precision
        part = engine.expect(side, count % FEW[side] or FEW[side])
    assert before == "fp32"
    assert part.precision == "int8"
    assert engine.precision == ("int8 (image), fp32 (text)" if side == "image" else "fp32 (image), int8 (text)")
    assert samples.asked == 0
    assert engine.expect(side, 1).precision == "int8"  # settled


def test_a_call_keeps_the_precision_that_it_began_with(model, int8_remembered) -> None:
    engine, given = start(model, Samples(model.contract)), batch(model, "image")
    little = engine.expect("image", 5)
    exact = little.image(given)
    much = engine.expect("image", 1000)
    assert (little.image(given) == exact).all()
    assert (little.precision, much.precision) == ("fp32", "int8")


def test_a_batch_that_nobody_announced_counts_for_itself(model, int8_remembered) -> None:
    engine = start(model, Samples(model.contract))
    engine.image(batch(model, "image", 63))
    assert engine.precision == "fp32"
    engine.image(batch(model, "image", 1))
    assert engine.precision == "int8 (image), fp32 (text)"


def test_a_report_settles_and_one_that_measures_nothing_does_not(model, int8_remembered, cache: Path) -> None:
    engine = start(model, Samples(model.contract))
    told = report(engine, measure=False)
    assert (told.precision, engine.precision, len(told.measured)) == ("int8", "fp32", 4)
    assert "from 64 pictures on" in told.why
    assert "from 256 texts on" in told.why
    assert report(engine).precision == engine.precision == "int8"
    assert engine.expect("image", 1).precision == "int8"
    told = report(engine, measure=False)
    assert (told.precision, "pictures on" in told.why) == ("int8", False)


@pytest.mark.parametrize("precision", ["auto", "int8"])
def test_a_report_of_what_was_never_measured_says_so(model, cache: Path, precision: str) -> None:
    samples = Samples(model.contract)
    engine = start(model, samples, precision=precision)
    stated = precision.replace("auto", "fp32")
    told = report(engine, measure=False)
    assert (told.precision, told.measured, samples.asked) == (stated, (), 0)
    assert told.why == "; ".join(f"{side} {stated}: not measured on this machine yet" for side in ("image", "text"))
    assert not cache.exists()


def test_it_is_measured_only_if_that_takes_a_tenth_of_the_work(model, monkeypatch) -> None:
    monkeypatch.setattr(measure, "probe", lambda *_: 100.0)  # pictures a second
    monkeypatch.setattr(measure, "cost", lambda *_: 3.0)
    given: list[float] = []
    monkeypatch.setattr(chosen._Tower, "_found", lambda self, seconds: given.append(seconds) or _overrun())
    for count, wanted in ((100, []), (2990, []), (3010, [3.01]), (10000, [10.0])):
        given.clear()
        engine = start(model, Samples(model.contract))
        for _ in range(3):  # what earlier calls brought does not pay; and it is tried once
            engine.expect("image", count)
        assert given == pytest.approx(wanted)


def test_a_damaged_file_is_no_reason_to_measure_before_work_that_does_not_pay_it(model, int8_remembered, cache) -> None:
    for path in cache.iterdir():
        whole = path.read_bytes()
        path.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    samples = Samples(model.contract)
    assert start(model, samples).expect("image", 100).precision == "fp32"
    assert samples.asked == 0


def _overrun() -> None:
    raise Overrun


def test_few_items_are_no_reason_even_to_look_how_fast_a_tower_is(model, monkeypatch) -> None:
    monkeypatch.setattr(measure, "probe", lambda *_: pytest.fail("measured"))
    for side, most in measure.ITEMS.items():
        start(model, Samples(model.contract)).expect(side, most * 10 - 1)


def test_measuring_that_takes_too_long_is_given_up_and_nothing_is_kept(model, cache: Path, monkeypatch, caplog) -> None:
    monkeypatch.setattr(measure, "cost", lambda *_: 0.0)
    monkeypatch.setattr(measure, "probe", lambda *_: 1e9)  # so that there is no time for it
    caplog.set_level("INFO", "contralto")
    engine, given = start(model, Samples(model.contract)), batch(model, "image")
    part = engine.expect("image", 2000)
    assert (part.image(given) == start(model).image(given)).all()
    assert not cache.exists()
    assert "takes too long now: it is computed in fp32" in caplog.text
    assert report(engine).measured  # who asks for it explicitly gets it


@pytest.mark.parametrize("after", range(5))
def test_an_interrupt_leaves_nothing_and_the_next_one_measures(model, cache: Path, monkeypatch, after: int) -> None:
    def interrupt(self, what, done) -> None:
        if done >= 3 * after:
            raise KeyboardInterrupt

    engine = start(model, Samples(model.contract))
    with monkeypatch.context() as patched:
        patched.setattr(measure._Steps, "_tell", interrupt)
        with pytest.raises(KeyboardInterrupt):
            report(engine)
    assert not cache.exists()
    assert engine.precision == "fp32"
    assert report(engine).measured


def test_measuring_tells_how_far_it_is(model, cache: Path, caplog) -> None:
    caplog.set_level("INFO", "contralto")
    measured(model, "text")
    records = [record for record in caplog.records if hasattr(record, "total")]
    done = [record.done for record in records]
    assert {record.stage for record in records} == {"measuring this machine, once, for the text tower of small"}
    assert (done[0], done[-1]) == (0, records[0].total)
    assert done == sorted(done)
    assert len(set(done)) > 3
    assert [word in caplog.text for word in ("fp32", "int8")] == [True, True]


def test_much_work_is_measured_once_and_remembered(model, cache: Path) -> None:
    samples = Samples(model.contract)
    first = start(model, samples)
    for _ in range(3):
        first.expect("image", 2**40)
    assert isinstance(first, Chosen)
    assert samples.asked == 2  # once for how long it takes in fp32
    again = start(model, samples)
    given = pixels(model.contract)
    assert (again.expect("image", 64).image(given) == first.image(given)).all()
    assert samples.asked == 2
    assert report(again, measure=False).measured == report(first, measure=False).measured
    assert [path.name.split("-")[-1] for path in cache.iterdir()] == ["image.safetensors"]
    report(again)
    assert samples.asked == 3


class Pretender(OpenVINO):
    """Computes in fp32, whatever it says."""

    def __init__(self, checkpoint, precision: str = "fp32", rest: str = "fp32") -> None:
        super().__init__(checkpoint)
        self.precision = precision


@pytest.mark.parametrize(
    ("side", "cosine", "names", "rounds"),
    [
        ("image", 1.0, ["fp32", "bf16", "int8"], [3, 3, 3]),
        ("image", 0.99, ["fp32", "bf16", "fp16", "int8"], [3, 1, 1, 1]),
        ("text", 0.99992, ["fp32", "bf16", "fp16", "int8"], [3, 1, 1, 3]),  # near, but not with what samples may use
    ],
)
def test_what_cannot_be_chosen_costs_little(model, monkeypatch, side, cosine, names, rounds) -> None:
    """fp16 where bf16 is near enough, and the speed of what is too coarse."""
    timed: list[int] = []
    monkeypatch.setattr(measure, "computes", lambda precision: True)
    monkeypatch.setattr(measure, "OpenVINO", Pretender)
    monkeypatch.setattr(measure, "_cosine", lambda *_: cosine)
    monkeypatch.setattr(measure, "_rate", lambda work, count, most, limit: timed.append(most) or 1.0)
    found = measured(model, side).measured
    assert ([one.precision for one in found], timed) == (names, rounds)


def test_fp32_is_the_measure_of_all(model) -> None:
    for side in ("image", "text"):
        found = measured(model, side)
        first, *_, last = found.measured
        assert (first.precision, first.cosine, last.precision) == ("fp32", 1, "int8")
        assert all(one.per_second > 0 and 0.9 < one.cosine <= 1.000001 for one in found.measured)
        assert any(stored.dtype == "I8" for stored in found.int8.tensors.values())


def test_int8_is_given_where_it_is_asked_for_and_refused_where_it_is_too_coarse(model, monkeypatch) -> None:
    found = measured(model, "image")

    def coarse(cosine: float) -> Found:
        return found._replace(measured=[*found.measured[:-1], of("int8", 1.0, cosine)])

    monkeypatch.setattr(measure, "measure", lambda *_: coarse(0.9899))
    with pytest.raises(ContraltoError, match=r"int8 is too coarse for the image tower of small: .* 0\.9899 to fp32"):
        start(model, Samples(model.contract), precision="int8").expect("image", 1)
    with pytest.raises(ContraltoError, match="int8 is fitted to samples"):
        start(model, precision="int8")
    remembered.keep(model, "image", coarse(0.991).measured, found.int8)
    engine = start(model, Samples(model.contract), precision="int8")
    engine.expect("image", 1)
    assert engine.precision == "int8"
    assert engine.image(pixels(model.contract)).shape == start(model).image(pixels(model.contract)).shape


def test_a_damaged_file_is_made_anew(model, cache: Path, monkeypatch) -> None:
    monkeypatch.setattr(measure, "rest", lambda found: "fp32")  # else whichever is faster at that moment
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
    report(start(model, samples))
    monkeypatch.setattr(remembered, "fingerprint", lambda: "another")
    report(start(model, samples))
    assert samples.asked == 4


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
    settled = [choice.precision for choice in auto.choices(measures=True)]
    assert [made_in(auto, side).split()[0] for side in ("image", "text")] == settled


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


def test_the_runtime_of_an_engine_states_its_version(monkeypatch, tmp_path: Path) -> None:
    assert version().startswith(runtime("openvino").removeprefix("openvino-"))
    for name in (
        "openvino",
        "torch",
        "torch-1.5+cpu.dist-info",
        "openvino-7.dist-info",
        "openvino_telemetry-1.dist-info",
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: SimpleNamespace(origin=str(tmp_path / name / "__init__.py"))
    )
    assert [runtime(name) for name in ("openvino", "eager", "compiled")] == ["openvino-7", *2 * ["torch-1.5+cpu"]]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert runtime("eager") == ""
