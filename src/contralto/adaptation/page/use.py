"""How to use, share and undo the adaptation, and what its files contain."""

from __future__ import annotations

from contralto.adaptation.page.words import size
from contralto.adaptation.report import AdaptationReport
from contralto.evaluation.report.words import text
from contralto.weights.adaptation import WEIGHT_METHODS

OF_PICTURES = ("tip", "tip-f", "kernel")  # their file holds a row for each fitted picture
FOLDER_FILES = {
    "adaptation.json": "what was done to which base, as text",
    "adaptation.safetensors": "the numbers",
    "index.html": "this page",
    "report.json": "all figures and protocols; <code>contralto compare</code> reads it",
    "items.parquet": "the answer to each measured picture, with the picture’s name",
}


def use(report: AdaptationReport) -> str:
    """The exact commands. DIR is the folder of the page."""
    described = report.described
    name = text(described.base.name)
    commands = [
        ("DIR is the folder of this page. Ask the adapted model:", _asking(report)),
        (
            "From Python:",
            [
                'clip = contralto.load("DIR")',
                f'clip.{"classify" if described.classes else "encode_image"}("picture.jpg")',
            ],
        ),
        (
            f"Share: send <code>adaptation.json</code> and <code>adaptation.safetensors</code> ({size(report.bytes)}). "
            f"They need {name} itself; another base is refused. If it lies elsewhere, name it:",
            [_asking(report)[0] + " --base MODEL"],
        ),
        ("Measure it on other pictures:", ["contralto evaluate DIR SET"]),
        ("Undo: the base was never changed. Use it, or take none of the change:", [_asking(report)[0] + " --mix 0"]),
    ]
    if described.method in WEIGHT_METHODS:
        layouts = ["native", "open_clip", "transformers", *(["peft"] if described.method == "lora" else [])]
        alone = " peft stores the change alone, for that library." if described.method == "lora" else ""
        lines = [f"contralto convert DIR FOLDER --to {layout}" for layout in layouts]
        commands.insert(3, (f"Store it merged with the base, in other layouts.{alone}", lines))
    return "".join(f'<p class="plain">{said}</p><pre>{text_lines(lines)}</pre>' for said, lines in commands)


def text_lines(lines: list[str]) -> str:
    """Commands, a line each, as HTML text."""
    return "\n".join(text(line) for line in lines)


def _asking(report: AdaptationReport) -> list[str]:
    """The commands that ask the adapted model."""
    if report.described.classes:
        lines = ["contralto classify PICTURE --model DIR"]
        return lines if report.keeps_towers else [*lines, 'contralto search FOLDER "some words" --model DIR']
    if report.described.method == "long":
        return ["contralto similarity PICTURE --text @FILE --model DIR --overlong learned"]
    return ['contralto search FOLDER "some words" --model DIR', "contralto embed FOLDER --out rows.npz --model DIR"]


def files(report: AdaptationReport) -> str:
    """The files of the folder, what they tell about the fitted pictures, and the hashes that tie them to the base."""
    described = report.described
    listed = "".join(f"<dt><code>{name}</code></dt><dd>{what}</dd>" for name, what in FOLDER_FILES.items())
    facts = {
        "method": described.method,
        "size of the adaptation": f"{size(report.bytes)} ({report.bytes:,} bytes)",
        "sha256 of adaptation.safetensors": described.sha256 or None,
        "base": described.base.name,
        "contract of the base": described.base.contract,
        "where the base was": described.base.source,
        "licence": described.licence,
    }
    told = "".join(f"<dt>{name}</dt><dd>{text(value)}</dd>" for name, value in facts.items() if value is not None)
    return (
        f'<dl class="protocol">{listed}</dl><p class="plain">{_private(report)}</p>'
        f'<details><summary>Base and hashes</summary><dl class="protocol">{told}</dl></details>'
    )


def _private(report: AdaptationReport) -> str:
    """What the files tell about the fitted pictures."""
    method, classes = report.described.method, report.described.classes
    page = "This page shows pictures: don’t send it to people who may not see them." if classes else ""
    file = "<code>adaptation.safetensors</code>"
    if method in OF_PICTURES:
        count = f"{report.described.trained_on.items:,} " if report.described.trained_on else ""
        held = f"<b>{file} holds rows of the {count}fitted pictures.</b> Such a row can tell what was in its picture."
        return f"{held} The methods prototypes and probe store no such rows. {page}"
    if method == "zero-shot":
        return f"{file} holds embeddings of the class names, and nothing of the pictures. {page}"
    return f"{file} holds no rows of single pictures. {page}"
