"""The CSS of the page of an adaptation, in addition to that of all pages."""

from typing import Final

ADAPTATION_CSS: Final = """
.answer {
  font-size: clamp(1.5rem, 3.6vw, 2.3rem); line-height: 1.25; letter-spacing: -.01em; margin-bottom: .5em;
  font-variant-numeric: tabular-nums;
}
.answer b { font-weight: 680; }
.plain { max-width: 72ch; } h2 + :is(.plain, .protocol) { margin-top: 6px; } h3 + .mistakes { margin-top: 10px; }
.plots + .plain { margin-top: 20px; }
.plain + .plain, .plain + .about, pre + .plain { margin-top: 10px; }
section > .plots { margin-top: 22px; } section > .scroll { margin-top: 18px; }
pre {
  font: .88rem/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; background: var(--card);
  border: 1px solid var(--line); border-radius: 10px; padding: 10px 16px; margin: 10px 0 4px; overflow-x: auto;
}
.notes { padding-left: 1.2em; max-width: 72ch; margin-top: 12px; } .notes li + li { margin-top: 4px; }
tr.chosen { background: color-mix(in srgb, var(--accent) 9%, transparent); } tr.chosen th { font-weight: 680; }
tbody th { font-weight: 400; }
td.words { white-space: normal; min-width: 22ch; }
.zero { stroke: var(--soft); stroke-width: 1.4; }
.draw { fill: var(--other); opacity: .55; }
.open { fill: var(--card); stroke: var(--accent); stroke-width: 1.6; }
.protocol + .plain { margin-top: 14px; }
"""
