"""The page of an adaptation: whole and safe HTML that says what the report says."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

import pytest
from PIL import Image
from support import adaptation_reports as reports
from support.page_reader import Reader, assert_self_contained

from contralto.adaptation.curve import Curve
from contralto.adaptation.measure import MIXES, MixPoint
from contralto.adaptation.page import page, plots
from contralto.adaptation.page.words import METHOD_WORDS, more_pictures
from contralto.adaptation.report import AdaptationReport
from contralto.adaptation.suspects import Suspect
from contralto.adaptation.verdict import verdict
from contralto.evaluation.outcome import Figure
from contralto.evaluation.report.words import p_value, signed
from contralto.sets.data_set import DataSet
from contralto.weights.adaptation import AdaptationBase, TrainedOn
from contralto.weights.adaptation_tensors import CLASSIFIER_TENSORS

EVIL = "<script>alert(1)</script>\"'&<img src=x onerror=y>\n</style></td>"
KINDS = {
    "helped": reports.frozen,
    "no difference": lambda: reports.frozen(5, 3),
    "hurt": lambda: reports.frozen(2, 16),
    "towers": reports.towers,
    "towers without kept sets": lambda: reports.towers(keep=False, method="full"),
    "captions": reports.captions,
    "long": lambda: reports.captions("long"),
}


def no_picture(*where):
    return None


def reader(report: AdaptationReport) -> Reader:
    return Reader(page(report, no_picture))


def section_ids(report: AdaptationReport) -> list[str]:
    return [attributes["id"] for tag, attributes in reader(report).tags if tag == "section"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_is_whole_and_asks_nothing_of_anybody(kind):
    html = page(KINDS[kind](), lambda *where: Image.new("RGB", (30, 20), "red"))
    assert_self_contained(html)
    svgs = [attributes for tag, attributes in Reader(html).tags if tag == "svg" and attributes.get("role") == "img"]
    assert len(svgs) == len(re.findall(r"<svg [^>]*><title>[^<]+</title><desc>[^<]+</desc>", html)) > 0


def with_hostile_names() -> AdaptationReport:
    report = reports.towers()
    measured = report.measured
    before, after = reports.pair(set=EVIL, split=EVIL, classes=(EVIL, "x" * 300, EVIL, EVIL), failures={EVIL: EVIL})
    for one in (before, after):
        one.records.key[:] = [f"{EVIL}{i}" for i in range(len(one.records))]
    before, after = (replace(one, protocol={**one.protocol, EVIL: [EVIL]}) for one in (before, after))
    kept = tuple(replace(one, set=EVIL) for one in measured.kept)
    return replace(
        report,
        described=report.described.replace(
            base=AdaptationBase(EVIL, EVIL, EVIL),
            classes=((EVIL,),) * 4,
            settings={EVIL: EVIL},
            trained_on=TrainedOn(EVIL, EVIL, 52),
            licence=EVIL,
        ),
        model={"name": EVIL},
        measured=replace(measured, zero_shot=before, adapted=after, kept=kept),
        why=EVIL,
        candidates={EVIL: 0.5, "lora": 0.6},
        notes=(EVIL,),
        suspects=(Suspect(EVIL, EVIL, EVIL, 0.95),),
        fit=reports.data_set(EVIL, 52, EVIL),
        data=reports.data_set(EVIL, 60, EVIL),
    )


def test_nothing_from_outside_becomes_markup():
    read = reader(with_hostile_names())
    assert not {"script", "img"} & {tag for tag, _ in read.tags}
    assert not any(name.startswith("on") for _, attributes in read.tags for name in attributes)
    assert read.text.count("<script>alert(1)") > 20


FROZEN = ["verdict", "choice", "more", "mix", "cost", "labels", "changes", "use", "files", "figures"]


@pytest.mark.parametrize(
    ("kind", "ids"),
    [
        ("helped", FROZEN),
        ("towers", [name for name in FROZEN if name not in ("more", "labels")]),
        ("captions", ["verdict", "choice", "cost", "use", "files", "figures"]),
        ("long", ["verdict", "choice", "cost", "use", "files", "figures"]),
    ],
)
def test_a_section_is_there_if_it_has_something_to_say(kind, ids):
    assert section_ids(KINDS[kind]()) == ids


def test_without_folds_no_candidates_are_shown_and_no_label_is_judged():
    why = "nothing was chosen: there are too few pictures for folds"
    report = replace(reports.frozen(), candidates={}, suspects=(), why=why)
    assert "Nothing was chosen: there are too few pictures for folds." in reader(report).text
    assert "over the folds" not in reader(report).text
    assert "labels" not in section_ids(report)
    with_folds = reader(replace(reports.frozen(), suspects=()))
    assert "No fitted picture is contradicted with more than 90%." in with_folds.text


@pytest.mark.parametrize(
    ("kind", "title", "said"),
    [
        ("helped", "Adapting helped", "14 answers became right, 2 became wrong."),
        ("no difference", "No difference", "The smallest gain that 60 pictures could have shown here is 15.0 points."),
        ("hurt", "Adapting hurt", "The base is better here."),
        ("captions", "Adapting helped", "100 captions, looked at once"),
    ],
)
def test_the_headline_says_what_the_verdict_says(kind, title, said):
    report = KINDS[kind]()
    html, read, stated = page(report, no_picture), reader(report), report.measured.verdict
    assert re.search(r"<h1>(.*?)</h1>", html)[1] == title
    before, after = (
        next(figure.value for figure in one.figures if figure.metric == stated.metric)
        for one in (report.measured.zero_shot, report.measured.adapted)
    )
    assert f"{100 * before:.1f}% → {100 * after:.1f}%" in read.text
    numbers = [signed(100 * value) for value in (stated.difference, stated.low, stated.high)]
    assert f"{numbers[0]} [{numbers[1]}, {numbers[2]}] points, {p_value(stated.p)}, n = {stated.n}" in read.text
    assert said in read.text


def test_no_difference_says_why_no_gain_could_be_shown():
    few = reports.frozen()
    before, after = reports.pair(2, 0, n=5)
    measured = replace(few.measured, zero_shot=before, adapted=after, verdict=verdict(before, after, "top1"))
    assert measured.verdict.detectable is None
    assert "5 pictures are too few: no gain on so few" in reader(replace(few, measured=measured)).text
    same = reports.frozen(0, 0, "zero-shot")
    assert "No method was better than the base" in reader(same).text


def test_the_candidates_are_listed_with_the_chosen_one_marked():
    report = reports.frozen()
    html, read = page(report, no_picture), reader(report)
    rows = {row[0].removesuffix(" ✓"): row for row in read.rows if row[0].removesuffix(" ✓") in report.candidates}
    assert [(name, row[2]) for name, row in rows.items()] == [
        (name, f"{100 * accuracy:.1f}%") for name, accuracy in report.candidates.items()
    ]
    assert [name for name, row in rows.items() if row[0].endswith("✓")] == ["kernel"]
    assert html.count('<tr class="chosen">') == 1
    assert "probe was +0.7 points better: too little to count." in read.text
    assert "2 pictures that are measured too were left out" in read.text


@pytest.mark.parametrize(
    ("shots", "means", "said"),
    [
        ((1, 2, 4), (0.4, 0.5, 0.56), "bring about +6.0 points, if the curve goes on"),
        ((4, 8, 12), (0.4, 0.5, 0.6), "about +14.2 points"),  # half of 12 is 6: 0.4 + 0.1 log2(6 / 4) = 0.4585
        ((1, 2, 4), (0.4, 0.5, 0.503), "flat at its end"),
        ((1, 2, 4), (0.4, 0.5, 0.47), "The last doubling brought −3.0 points"),
        ((1,), (0.4,), "there is no curve yet"),
    ],
)
def test_the_curve_says_what_twice_as_many_pictures_would_bring(shots, means, said):
    assert said in more_pictures(Curve(shots, tuple((mean,) for mean in means), 0.3), 1000)


def test_a_gain_below_one_measured_picture_is_none():
    curve = Curve((1, 2), ((0.4,), (0.412,)), 0.3)
    assert "+1.2" in more_pictures(curve, 100)
    assert "flat" in more_pictures(curve, 50)


def test_doublings_are_equally_far_apart_and_every_draw_is_drawn():
    curve = reports.frozen().measured.curve
    drawn = plots.learning(curve)
    means = [float(x) for x in re.findall(r'<circle class="mark" cx="([\d.]+)"', drawn)]
    steps = [after - before for before, after in itertools.pairwise(means)]
    assert steps[:3] == pytest.approx([steps[0]] * 3, abs=0.2)
    assert steps[3] < steps[0]  # 8 to 13 is no doubling
    assert drawn.count('class="draw"') == 12
    assert "zero-shot: 50.0%; 1 a class: 45.0%" in drawn


def test_ticks_of_the_curve_do_not_touch():
    drawn = plots.learning(Curve((1, 2, 4, 8, 16, 17), ((0.5,),) * 6, 0.4))
    names = re.findall(r'class="tick" x="([\d.]+)" y="[\d.]+" text-anchor="middle">(\d+)<', drawn)
    assert [name for _, name in names] == ["1", "2", "4", "8", "17"]


@pytest.mark.parametrize("best", [0.4, 1.0])
def test_a_mix_that_looks_better_than_the_whole_change_comes_with_a_warning(best):
    report = reports.frozen()
    old = report.measured.mixes
    mixes = tuple(MixPoint(mix, 0.9 if mix == best else one.accuracy) for mix, one in zip(MIXES, old, strict=True))
    read = reader(replace(report, measured=replace(report.measured, mixes=mixes)))
    assert ("Here 0.4 looks best, with 90.0%." in read.text) == (best == 0.4)
    assert ("looks better than it is" in read.text) == (best == 0.4)
    assert "contralto classify PICTURE --model DIR --mix 0.5" in read.text


def test_the_ends_of_the_mix_have_the_intervals_of_the_metric_that_is_drawn():
    """Of frozen towers top-1 is drawn, whatever the verdict is about."""
    report = reports.frozen()
    stated = replace(report.measured.verdict, metric="mean_per_class")
    pairs = [
        replace(one, figures=(Figure("mean_per_class", 0.31, 0.2, 0.4, 60), *one.figures[:1]))
        for one in (report.measured.zero_shot, report.measured.adapted)
    ]
    measured = replace(report.measured, verdict=stated, zero_shot=pairs[0], adapted=pairs[1])
    html = page(replace(report, measured=measured), no_picture)
    drawing = re.search(r"Over the mix</h3><p>(.*?)</p></figcaption>(<svg.*?</svg>)", html)
    assert drawing[1] == "top-1 of the measured pictures."
    assert drawing[2].count('class="whisker"') == 2


@pytest.mark.parametrize("keep", [True, False])
def test_the_mixes_of_changed_towers_are_drawn_over_what_is_kept(keep):
    report = reports.towers(keep=keep)
    html = page(report, no_picture)
    drawing = re.search(r"Own pictures and the rest</h3>.*?(<svg.*?</svg>)", html)[1]
    for one in report.measured.mixes:
        assert f"mix {one.mix:g}: {one.accuracy:.1%}, kept {one.kept:.1%}" in drawing
    assert drawing.count('class="whisker"') == (4 if keep else 2)  # the agreement has no interval
    assert ("flowers" if keep else "agreement with the base") in drawing
    filled = re.findall(r'<circle class="mark"[^>]*><title>([^<]*)', drawing)
    assert [caption[:5] for caption in filled] == ["mix 1"]


def test_no_name_of_a_mix_lies_on_another_or_on_a_point():
    wide = [MixPoint(mix, 0.3 + 0.5 * mix, 0.9 - 0.6 * mix**3) for mix in MIXES]
    drawn = plots.own_and_kept(wide, [None, None], [None, None], "kept")
    at = [(float(x), float(y)) for x, y in re.findall(r'class="row" x="([\d.]+)" y="([\d.]+)"', drawn)]
    dots = [(float(x), float(y)) for x, y in re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', drawn)]
    assert len(at) == len(dots) == 11
    assert not [1 for i, a in enumerate(at) for b in at[:i] if abs(a[0] - b[0]) < 18 and abs(a[1] - b[1]) < 11]
    assert not [1 for x, y in at for u, v in dots if 0 < u - x < 18 and -2 < y - v < 10]
    same = [MixPoint(mix, 0.5, 0.5) for mix in MIXES]
    assert ">0: base to 1: adapted<" in plots.own_and_kept(same, [None, None], [None, None], "kept")
    two = [MixPoint(mix, round(mix), round(mix)) for mix in (0.0, 0.1, 0.9, 1.0)]
    assert ">0: base, 0.1<" in plots.own_and_kept(two, [None, None], [None, None], "kept")


def test_frozen_towers_forget_nothing():
    read = reader(reports.frozen())
    assert "Nothing is forgotten: the towers are untouched, and every index stays valid." in read.text
    assert "Nothing is forgotten" not in reader(reports.towers()).text
    assert "Only texts that are too long get other embeddings." in reader(reports.captions("long")).text


def test_kept_sets_are_shown_before_and_after():
    report = reports.towers()
    read = reader(report)
    for one in report.measured.kept:
        row = next(row for row in read.rows if row[0] == one.set and len(row) == 8)
        before, after = one.before.figures[0], one.after.figures[0]
        assert row[2].split()[0] == f"{100 * before.value:.1f}"
        assert row[3].split()[0] == f"{100 * after.value:.1f}"
        assert row[4].startswith(signed(100 * one.verdict.difference))
        assert row[5] == f"{one.verdict.p:.3g}"
        assert row[7] == {"hurt": "worse", "no difference": "no difference"}[one.verdict.word]
    assert [one.verdict.word for one in report.measured.kept] == ["hurt", "no difference"]
    assert "88% of the measured pictures get the same answer" in read.text
    assert "0.971 is the mean cosine" in read.text
    assert "--keep SET" not in read.text
    assert "--keep SET" in reader(reports.towers(keep=False)).text


def test_a_difference_is_drawn_against_zero():
    report = reports.frozen(2, 16)
    drawn = plots.differences("Difference", [("one", report.measured.verdict)])
    zero = float(re.search(r'class="zero" x1="([\d.]+)"', drawn)[1])
    low, high = map(float, re.search(r'class="whisker" x1="([\d.]+)" y1="[\d.]+" x2="([\d.]+)"', drawn).groups())
    dot = float(re.search(r'cx="([\d.]+)"', drawn)[1])
    assert low < dot < high < zero
    stated = report.measured.verdict
    assert (zero - dot) / (zero - low) == pytest.approx(stated.difference / stated.low, abs=0.01)


def test_only_doubtful_and_changed_pictures_are_asked_for():
    report = replace(reports.frozen(14, 2), fit=reports.data_set("train", 52, "fitted"))
    asked = []
    html = page(report, lambda *where: asked.append(where))
    doubtful = [("fitted", "train", f"train/{i}.jpg") for i in range(24)]
    right = [("shapes", "test", f"test/{i}.jpg") for i in range(30, 42)]
    wrong = [("shapes", "test", f"test/{i}.jpg") for i in range(2)]
    assert asked == doubtful + right + wrong
    assert "30 fitted pictures are contradicted" in html
    assert "Nothing was relabelled. The 24 most certain:" in html
    assert "labelled ring rather cube 99%" in " ".join(Reader(html).text.split())
    assert "<h3>Became right <small>14, the 12 most certain</small></h3>" in html
    assert "<h3>Became wrong <small>2</small></h3>" in html


def test_unchanged_answers_are_told():
    assert "No answer became right or wrong." in reader(reports.frozen(0, 0)).text


@pytest.mark.parametrize("method", [*CLASSIFIER_TENSORS, "lora", "full"])
def test_files_that_hold_rows_of_pictures_are_called_so(method):
    report = reports.towers(method=method) if method in ("lora", "full") else reports.frozen(method=method)
    said = "holds rows of the 52 fitted pictures" in reader(report).text
    assert said == ("keys" in CLASSIFIER_TENSORS.get(method, {}))
    assert f"{METHOD_WORDS[report.described.method]}." in reader(report).text


def test_the_commands_are_those_of_the_method():
    frozen, lora, full, long = (
        reader(one).text
        for one in (reports.frozen(), reports.towers(), reports.towers(method="full"), reports.captions("long"))
    )
    for one in (frozen, lora, full):
        assert "contralto classify PICTURE --model DIR " in one
        assert "--mix 0 " in one
    assert "convert" not in frozen + long
    assert "convert DIR FOLDER --to native" in lora
    assert "--to peft" in lora
    assert "--to transformers" in full
    assert "--to peft" not in full
    assert "--overlong learned" in long
    assert "classify" not in long


def test_all_figures_and_protocols_are_there():
    report = reports.towers()
    read = reader(report)
    shown = [row for row in read.rows if len(row) in (6, 7)]
    values = [f"{100 * figure.value:.1f}" for one in report.outcomes for figure in one.figures]
    assert [row[-5] for row in shown if row[-6] in ("top-1", "mean per class")] == values
    assert "The exact protocol of flowers" in read.text
    assert "48 kB (48,452 bytes)" in reader(reports.frozen()).text


def test_a_picture_that_could_not_be_used_is_told():
    report = reports.frozen()
    lost = replace(report.measured.adapted, failures={"test/9.jpg": "is truncated"})
    measured = replace(report.measured, adapted=lost)
    assert "1 picture counts as wrong: not usable" in reader(replace(report, measured=measured)).text


def test_the_builders_make_verdicts_of_each_kind():
    assert [KINDS[name]().measured.verdict.word for name in ("helped", "no difference", "hurt")] == [
        "helped", "no difference", "hurt",
    ]  # fmt: skip
    assert isinstance(reports.captions().data, DataSet)
