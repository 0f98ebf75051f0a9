"""Draws docs/architecture.svg from the imports in src/contralto: python docs/architecture.py

A box is a folder of the package, or a module that is next to the folders. A line says that the upper box imports the
lower one. The picture leaves out lines that other lines imply (A -> C, where A -> B -> C is drawn), and lines to the
ground, which every box may import.
"""

from __future__ import annotations

import ast
import functools
import textwrap
from collections.abc import Iterator
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1] / "src/contralto"
PICTURE = Path(__file__).with_suffix(".svg")
GROUND = "ground"  # one box for the modules that import nothing but each other
BOX_WIDTH, BOX_HEIGHT, GAP, LEVEL_HEIGHT, MARGIN = 190, 96, 24, 142, 20
INK, LINE, PLAIN, TORCH = "#222", "#8a99ab", "#f4f6f9", "#fdeee0"

Graph = dict[str, set[str]]


def main() -> None:
    PICTURE.write_text(svg(), encoding="utf-8")


def svg() -> str:
    """The whole picture."""
    graph, needs_torch = _graph()
    rows = _rows(_reduced(graph))
    width = max(len(row) for row in rows) * (BOX_WIDTH + GAP) - GAP + 2 * MARGIN
    height = len(rows) * LEVEL_HEIGHT - (LEVEL_HEIGHT - BOX_HEIGHT) + 2 * MARGIN + 20
    corners = {
        name: (width / 2 + (place - len(row) / 2) * (BOX_WIDTH + GAP) + GAP / 2, MARGIN + level * LEVEL_HEIGHT)
        for level, row in enumerate(rows)
        for place, name in enumerate(row)
    }
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for upper, lowers in sorted(_reduced(graph).items()):
        parts += [_line(corners[upper], corners[lower]) for lower in sorted(lowers - {GROUND})]
    for name, corner in corners.items():
        parts += _box(name, corner, TORCH if name in needs_torch else PLAIN)
    legend = "A box imports only boxes below it; all may import the ground. Orange boxes need PyTorch."
    parts.append(f'<text x="{MARGIN}" y="{height - 12}" font-size="12" fill="#555">{legend}</text></svg>')
    return "\n".join(parts) + "\n"


@functools.cache
def _graph() -> tuple[Graph, set[str]]:
    """What each box imports, and the boxes that import torch when they are imported themselves."""
    graph: Graph = {}
    needs_torch = set()
    for path in sorted(ROOT.rglob("*.py")):
        box = path.relative_to(ROOT).parts[0].removesuffix(".py")
        if box in ("__init__", "__main__"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = graph.setdefault(box, set())
        imported |= {name for name in _imports(tree) if name != box}
        if any(isinstance(node, ast.Import) and node.names[0].name == "torch" for node in tree.body):
            needs_torch.add(box)
    return _grounded(graph), needs_torch & {"model", "loss", "train"}


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            top, _, rest = node.module.partition(".")
            names = [rest.split(".")[0]] if rest else [alias.name for alias in node.names]
            if top == "contralto":
                yield from (name for name in names if (ROOT / name).is_dir() or (ROOT / f"{name}.py").is_file())


def _grounded(graph: Graph) -> Graph:
    """The graph with one box for the ground."""
    ground: set[str] = set()
    while more := {name for name in graph if (ROOT / f"{name}.py").is_file() and graph[name] <= ground} - ground:
        ground |= more
    upper = {name: (names - ground) | ({GROUND} if names & ground else set()) for name, names in graph.items()}
    return {name: names for name, names in upper.items() if name not in ground} | {GROUND: set()}


def _reduced(graph: Graph) -> Graph:
    """The transitive reduction: only the lines that no other path implies."""

    @functools.cache
    def reachable(name: str) -> set[str]:
        return graph[name].union(*(reachable(lower) for lower in graph[name]))

    return {
        name: {lower for lower in lowers if not any(lower in reachable(other) for other in lowers - {lower})}
        for name, lowers in graph.items()
    }


def _rows(graph: Graph) -> list[list[str]]:
    """The boxes by level, each directly below the lowest box that imports it. Within a level, they stand near these."""
    importers = {name: [upper for upper, lowers in graph.items() if name in lowers] for name in graph}

    @functools.cache
    def level(name: str) -> int:
        return max((1 + level(upper) for upper in importers[name]), default=0)

    levels: dict[int, list[str]] = {}
    for name in sorted(graph):
        levels.setdefault(level(name), []).append(name)
    places: dict[str, float] = {}
    for _, names in sorted(levels.items()):
        names.sort(key=lambda name: sum(places[upper] for upper in importers[name]) / max(1, len(importers[name])))
        places |= {name: place - (len(names) - 1) / 2 for place, name in enumerate(names)}
    return [names for _, names in sorted(levels.items())]


def _line(upper: tuple[float, float], lower: tuple[float, float]) -> str:
    x1, y1, x2, y2 = upper[0] + BOX_WIDTH / 2, upper[1] + BOX_HEIGHT, lower[0] + BOX_WIDTH / 2, lower[1]
    bend = (LEVEL_HEIGHT - BOX_HEIGHT) * 0.8
    path = f"M{x1:.0f} {y1:.0f} C{x1:.0f} {y1 + bend:.0f} {x2:.0f} {y2 - bend:.0f} {x2:.0f} {y2:.0f}"
    return f'<path d="{path}" fill="none" stroke="{LINE}" stroke-width="1.4"/>'


def _box(name: str, corner: tuple[float, float], colour: str) -> Iterator[str]:
    x, y = corner
    yield (
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="8" '
        f'fill="{colour}" stroke="{INK}" stroke-width="1"/>'
    )
    yield f'<text x="{x + 10:.0f}" y="{y + 19:.0f}" font-size="14" font-weight="bold" fill="{INK}">{name}</text>'
    for number, line in enumerate(textwrap.wrap(_summary(name), 29)[:5]):
        yield f'<text x="{x + 10:.0f}" y="{y + 36 + 13 * number:.0f}" font-size="11" fill="{INK}">{escape(line)}</text>'


def _summary(name: str) -> str:
    """The first sentence of a box's docstring."""
    if name == GROUND:
        return ", ".join(sorted(name for name in _ground_modules()))
    path = ROOT / name / "__init__.py"
    tree = ast.parse((path if path.is_file() else ROOT / f"{name}.py").read_text(encoding="utf-8"))
    return " ".join((ast.get_docstring(tree) or "").split("\n\n")[0].split()).split(". ")[0].rstrip(".")


def _ground_modules() -> set[str]:
    boxes = set(_graph()[0])
    return {path.stem for path in ROOT.glob("*.py") if not path.stem.startswith("__")} - boxes


if __name__ == "__main__":
    main()
