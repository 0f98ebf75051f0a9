"""Draws the validation figures of a run as an SVG: python docs/curve.py runs/tiny/log.jsonl docs/tiny-curve.svg"""

import json
import sys
from pathlib import Path

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 760, 380, 50, 20, 210, 45
FIGURES = {  # figure -> label, colour, chance
    "new_colour_shape": ("colour x shape, never seen", "#c0392b", 1 / 64),
    "new_count_shape": ("count x shape, never seen", "#2471a3", 1 / 32),
    "new_place_shape": ("place x shape, never seen", "#1e8449", 1 / 40),
    "r10_text_to_image": ("R@10, text to picture", "#7d3c98", None),
}


def main(log: str, out: str) -> None:
    lines = [json.loads(line) for line in Path(log).read_text().splitlines()]
    points = [(line["step"], line["validation"]) for line in lines if "validation" in line]
    last = points[-1][0]

    def x(step: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * step / last

    def y(share: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share

    svg = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" ',
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for percent in range(0, 101, 20):
        level = y(percent / 100)
        svg.append(f'<line x1="{LEFT}" y1="{level:.1f}" x2="{x(last)}" y2="{level:.1f}" stroke="#ddd"/>')
        svg.append(f'<text x="{LEFT - 8}" y="{level + 4:.1f}" text-anchor="end">{percent}%</text>')
    for step in range(0, last + 1, 100):
        svg.append(f'<text x="{x(step):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{step}</text>')
    svg.append(f'<text x="{x(last / 2):.1f}" y="{HEIGHT - 8}" text-anchor="middle">steps of 128 pairs</text>')
    ends: list[float] = []
    for name, (label, colour, chance) in FIGURES.items():
        path = " ".join(f"{x(step):.1f},{y(figures[name]):.1f}" for step, figures in points)
        svg.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if chance is not None:
            svg.append(
                f'<line x1="{LEFT}" y1="{y(chance):.1f}" x2="{x(last)}" y2="{y(chance):.1f}" '
                f'stroke="{colour}" stroke-dasharray="3 4"/>'
            )
        end = y(points[-1][1][name])
        while any(abs(end - other) < 15 for other in ends):  # labels must not overlap
            end += 1
        ends.append(end)
        svg.append(f'<text x="{x(last) + 8:.1f}" y="{end + 4:.1f}" fill="{colour}">{label}</text>')
    svg.append(f'<text x="{x(last) + 8:.1f}" y="{HEIGHT - BOTTOM + 4}" fill="#777">dotted: chance</text></svg>')
    Path(out).write_text("\n".join(svg) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
