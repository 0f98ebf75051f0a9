"""Cold start: the time from the start of a process to its answer.

    python benchmarks/cold.py [--peers PYTHON] [--models DIR] [--quick] [--json]

search: `contralto search FOLDER QUERY` in an indexed folder, with a ViT-B/32, against scripts that load the same model,
read the embeddings from an .npy file, encode the query and print the ten best. All must print the same ranking.
classify: `contralto classify`, with the same ViT-B/32 and with nano, which is smaller, against transformers.
The programs take turns. A first round, which does not count, fills the page cache and the index. Prints medians.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
from contest import interpreters, parser, rounds
from machine import Disturbance, described
from material import photographs
from models import Models, models
from report import Report

QUERY, LABELS, TOP = "a dog running on the beach", ["cat", "dog", "red car"], 10
TIE = 1e-3  # matches whose cosines differ by less may swap ranks
PROGRAMS = Path(__file__).parent / "programs"


@dataclass
class Program:
    """A command, its seconds and its last output; `absent` is the reason if it cannot run."""

    name: str
    command: list[str]
    environment: dict[str, str]
    is_ours: bool
    seconds: list[float] = field(default_factory=list)
    output: str = ""
    absent: str = ""


def main() -> None:
    options = parser(__doc__, runs=5).parse_args()
    report = Report(options, {})
    report.say(described())
    with models(options, options.model) as model_folders, tempfile.TemporaryDirectory() as scratch:
        count = 40 if options.quick else 200
        folder = photographs(model_folders.place / "photographs-small", count, (320, 240), options)[0].parent
        rows, paths = indexed(folder, model_folders, Path(scratch))
        searches = search_programs(model_folders, folder, (rows, paths), interpreters(options))
        others = Disturbance()
        take_turns(searches, rounds(options), others)
        show(report, f"search in {len(json.loads(paths.read_text()))} indexed pictures", searches, options.json)
        compare(report, searches)
        classifies = classify_programs(model_folders, folder / "0000.jpg", interpreters(options))
        take_turns(classifies, rounds(options), others)
        show(report, "classify", classifies, options.json)
        report.warn(others)
    report.end()


def indexed(folder: Path, model_folders: Models, scratch: Path) -> tuple[Path, Path]:
    """Rows and paths of the folder as the index holds them, for the peers."""
    out, rows, paths = (scratch / name for name in ("all.npz", "rows.npy", "paths.json"))
    command = [*contralto("embed", str(folder), "--out", str(out), "--quiet"), "--model", str(model_folders.native)]
    subprocess.run(command, check=True, env=with_cache(model_folders), stdout=subprocess.DEVNULL)
    with np.load(out) as kept:
        np.save(rows, kept["embeddings"])
        paths.write_text(json.dumps(kept["paths"].tolist()))
    return rows, paths


def search_programs(model_folders: Models, folder: Path, kept: tuple[Path, Path], pythons: list[str]) -> list[Program]:
    ours = contralto("search", str(folder), QUERY, "--top", str(TOP), "--json", "--model", str(model_folders.native))
    rest, hf = [*map(str, kept), QUERY, str(TOP)], str(model_folders.transformers)
    peers = [
        ("transformers", "search_transformers.py", [hf, "CLIPModel"]),
        ("transformers, text tower only", "search_transformers.py", [hf, "CLIPTextModelWithProjection"]),
        ("open_clip", "search_open_clip.py", [str(model_folders.open_clip)]),
    ]
    programs = [started(name, script, [*arguments, *rest], pythons) for name, script, arguments in peers]
    return [Program("contralto", ours, with_cache(model_folders), True), *programs]


def classify_programs(model_folders: Models, picture: Path, pythons: list[str]) -> list[Program]:
    ours = contralto("classify", str(picture), "--labels", *LABELS)
    arguments = [str(model_folders.transformers), str(picture), *LABELS]
    return [
        Program("contralto", [*ours, "--model", str(model_folders.native)], with_cache(model_folders), True),
        Program("contralto, nano", ours, with_cache(model_folders), True),
        started("transformers", "classify_transformers.py", arguments, pythons),
    ]


def contralto(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "contralto", *arguments]


def with_cache(model_folders: Models) -> dict[str, str]:
    return os.environ | {"CONTRALTO_CACHE": str(model_folders.cache)}


def started(name: str, script: str, arguments: list[str], pythons: list[str]) -> Program:
    """In the first interpreter in which it works."""
    program = Program(name, [], os.environ | {"HF_HUB_OFFLINE": "1"}, False)
    reasons = []
    for python in pythons:
        program.command = [python, str(PROGRAMS / script), *arguments]
        done = subprocess.run(program.command, env=program.environment, capture_output=True, text=True)
        if done.returncode == 0:
            return program
        reasons.append(f"{(done.stderr.strip().splitlines() or ['nothing said'])[-1][:200]} ({python})")
    program.absent = "; ".join(reasons)
    return program


def take_turns(programs: list[Program], runs: int, others: Disturbance) -> None:
    for turn in range(runs + 1):
        for program in programs:
            if program.absent:
                continue
            others.pause()
            begin = time.perf_counter()
            done = subprocess.run(program.command, env=program.environment, capture_output=True, text=True)
            seconds = time.perf_counter() - begin
            if done.returncode:
                program.absent = (done.stderr.strip().splitlines() or ["nothing said"])[-1]
            elif turn:
                program.seconds.append(seconds)
                program.output = done.stdout


def show(report: Report, what: str, programs: list[Program], as_json: bool) -> None:
    """ratio: how often ours goes into the time of the fastest peer."""
    report.say(f"\n{what}: process start to answer\n{'program':32}{'median s':>9}{'least':>8}{'most':>8}{'ratio':>8}")
    peers = {one.name: median(one.seconds) for one in programs if one.seconds and not one.is_ours}
    for one in programs:
        if not one.seconds:
            report.say(f"absent: {one.name}: {one.absent}")
            continue
        mine = median(one.seconds)
        ratio = f"{min(peers.values()) / mine:7.1f}x" if peers else f"{'-':>8}"
        report.say(f"{one.name:32}{mine:9.2f}{min(one.seconds):8.2f}{max(one.seconds):8.2f}{ratio}")
        if as_json:
            row = {"what": f"cold {what}, {one.name}", "value": round(mine, 3), "unit": "s", "peak": None}
            others = {name: round(value, 3) for name, value in peers.items()} if one.is_ours else {}
            print(json.dumps(row | {"fraction": None, "peers": others}), flush=True)


def compare(report: Report, programs: list[Program]) -> None:
    """All rankings against that of ours."""
    ours, *others = (ranking(one.output) for one in programs if one.output)
    alike = [[path for path, _ in other] == [path for path, _ in ours] for other in others]
    apart = [abs(mine - yours) for other in others for (_, mine), (_, yours) in zip(ours, other, strict=True)]
    if all(alike):
        report.say("all print the same ranking")
    else:
        scores = [score for _, score in ours]
        report.say(
            f"the order differs; scores of a rank differ by at most {max(apart):.1e} (from {scores[0]} to {scores[-1]})"
        )
    if apart and max(apart) > TIE:
        report.broken.append(f"search: scores of a rank differ by {max(apart):.1e}")


def ranking(output: str) -> list[tuple[str, float]]:
    matches = [json.loads(line) for line in output.splitlines()]
    return [(os.path.realpath(one["path"]), one["score"]) for one in matches]


if __name__ == "__main__":
    main()
