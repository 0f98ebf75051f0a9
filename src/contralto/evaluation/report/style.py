"""The CSS of the page: light and dark, from a phone to a wide screen, and on paper."""

COLOURS = """
:root {
  --paper: #faf7f2; --card: #ffffff; --ink: #1d1b19; --soft: #6d665e; --line: #e6dfd5; --grid: #eee8df;
  --accent: #c2410c; --other: #1d5fa8; --good: #15803d; --bad: #b91c1c;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #141210; --card: #1e1b18; --ink: #f1ece5; --soft: #a39a8f; --line: #332e29; --grid: #2a2622;
    --accent: #fb923c; --other: #7cb8f2; --good: #4ade80; --bad: #f87171;
  }
}
@media print {
  :root {
    --paper: #ffffff; --card: #ffffff; --ink: #000000; --soft: #555555; --line: #cccccc; --grid: #e5e5e5;
    --accent: #c2410c; --other: #1d5fa8; --good: #15803d; --bad: #b91c1c;
  }
}
"""

TEXT = """
* { box-sizing: border-box; margin: 0; }
html { -webkit-text-size-adjust: 100%; }
body {
  background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  -webkit-font-smoothing: antialiased;
}
header, main, footer { max-width: 1180px; margin: 0 auto; padding: 0 clamp(18px, 4vw, 44px); }
header { padding-top: clamp(36px, 6vw, 64px); }
.mark { font-weight: 700; letter-spacing: .02em; color: var(--accent); }
h1, h2, h3 { font-family: "Iowan Old Style", "Palatino Linotype", Palatino, "Source Serif 4", Georgia, serif; }
h1 {
  font-size: clamp(2.1rem, 5.6vw, 3.6rem); line-height: 1.08; letter-spacing: -.02em; font-weight: 600;
  margin: .2em 0 .35em; overflow-wrap: anywhere;
}
h2 { font-size: clamp(1.6rem, 3.4vw, 2.1rem); line-height: 1.2; letter-spacing: -.01em; font-weight: 600; }
h2 { overflow-wrap: anywhere; }
h3 { font-size: 1.18rem; font-weight: 600; line-height: 1.3; margin-top: 36px; }
h4 { font-size: .88rem; margin: 18px 0 6px; }
small { font-size: .82em; font-weight: 400; color: var(--soft); }
.lead { font-size: clamp(1.02rem, 1.6vw, 1.14rem); color: var(--soft); max-width: 76ch; }
.date { white-space: nowrap; }
.facts {
  display: flex; flex-wrap: wrap; gap: 12px 40px; margin-top: 26px; padding: 18px 0;
  border-block: 1px solid var(--line);
}
.facts dt { color: var(--soft); font-size: .8rem; }
.facts dd { font-size: .92rem; overflow-wrap: anywhere; }
nav { display: flex; flex-wrap: wrap; gap: 6px 16px; margin-top: 16px; font-size: .9rem; }
a { color: var(--accent); text-decoration-thickness: 1px; text-underline-offset: 3px; }
section { padding-top: clamp(44px, 6vw, 68px); }
.about { color: var(--soft); max-width: 72ch; margin: 6px 0 18px; }
.note { color: var(--soft); font-size: .84rem; max-width: 90ch; margin-top: 12px; }
.good { color: var(--good); } .bad { color: var(--bad); } .soft { color: var(--soft); }
footer { color: var(--soft); font-size: .88rem; padding-top: 56px; padding-bottom: 56px; max-width: 1180px; }
footer p { max-width: 80ch; } footer p + p { margin-top: 6px; }
code { font: .92em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; color: var(--ink); }
"""

TABLES = """
.scroll {
  overflow-x: auto; max-width: 100%; background: var(--card); border: 1px solid var(--line); border-radius: 12px;
}
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; width: 100%; }
th, td { padding: 6px 12px; text-align: left; vertical-align: baseline; white-space: nowrap; }
thead th { color: var(--soft); font-weight: 500; font-size: .78rem; border-bottom: 1px solid var(--line); }
.n { text-align: right; }
.figures tbody { border-top: 1px solid var(--line); } .figures thead + tbody { border-top: 0; }
.figures tbody th { font-weight: 400; vertical-align: top; } .figures b { font-weight: 620; }
.figures td { padding-block: 4px; } .figures tr:first-child td, .figures tbody th { padding-top: 9px; }
.figures tr:last-child td { padding-bottom: 9px; }
.figures tr:first-child .value { font-weight: 680; }
.variant { display: block; }
.range { color: var(--soft); padding-left: 0; }
.known div { display: grid; grid-template-columns: 2.6em 6.4em 3em 1em; gap: 0 8px; align-items: baseline; }
sup { line-height: 0; font-size: .75em; }
.ends { display: flex; justify-content: space-between; width: 104px; }
.strip { width: 104px; height: 14px; max-width: none; position: relative; top: 2px; }
.pairs td, .pairs th { padding-inline: 0 22px; }
.pairs td { border-top: 1px solid var(--grid); }
.pairs :is(td, th):last-child { padding-right: 0; } .pairs td { padding-block: 4px; }
"""

PLOTS = """
figure { margin: 0; }
svg { display: block; width: 100%; height: auto; max-width: calc(1.15 * var(--wide)); }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 330px), 1fr)); gap: 28px 40px; }
.plots > * { min-width: 0; max-width: 560px; }
.plot h3 { margin-top: 8px; } .plot p { color: var(--soft); font-size: .88rem; margin: 2px 0 10px; min-height: 2.9em; }
.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(46%, 200px), 1fr)); gap: 16px 20px; }
.shifts { grid-template-columns: repeat(auto-fill, minmax(min(100%, 200px), 1fr)); margin-bottom: 22px; }
.base { stroke: var(--other); fill: none; stroke-width: 1.6; }
.panel figcaption { font-size: .86rem; font-weight: 560; padding-left: 12%; }
.plots > .wide { grid-column: span 2; max-width: none; }
.matrix { overflow-x: auto; } .matrix svg { width: var(--wide); max-width: none; }
line, polyline, rect, circle { vector-effect: non-scaling-stroke; }
.grid { stroke: var(--grid); } .axis { stroke: var(--soft); stroke-width: .8; }
.tick, .name { font-size: 11px; fill: var(--soft); } .name { font-size: 11.5px; }
.row { font-size: 12px; fill: var(--ink); } .small { font-size: 9px; }
.guide { stroke: var(--soft); stroke-dasharray: 4 4; fill: none; stroke-width: 1.2; }
.curve { stroke: var(--accent); fill: none; stroke-width: 2; stroke-linejoin: round; }
.curve.other { stroke: var(--other); }
.mark { fill: var(--accent); } .hollow { fill: none; stroke: var(--soft); stroke-width: 1.4; }
.whisker { stroke: var(--accent); stroke-width: 1.6; }
.bar { fill: var(--accent); }
.count { fill: var(--soft); opacity: .55; }
.ground { fill: none; stroke: var(--line); } .right { fill: var(--other); } .wrong { fill: var(--accent); }
.cell { font-size: 10px; fill: var(--ink); } .in { font-size: 10px; fill: var(--card); }
.track { stroke: var(--line); stroke-width: 2; } .span { stroke: var(--accent); stroke-width: 4; opacity: .45; }
.chance { stroke: var(--soft); stroke-width: 1.5; }
"""

MISTAKES = """
.mistakes { display: grid; grid-template-columns: repeat(auto-fill, minmax(126px, 1fr)); gap: 18px 16px; }
.mistakes img {
  width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 8px; border: 1px solid var(--line); display: block;
}
.none { color: var(--soft); font-size: .74rem; overflow-wrap: anywhere; }
.mistakes figcaption { font-size: .82rem; line-height: 1.35; margin-top: 6px; overflow-wrap: anywhere; }
details { margin-top: 22px; border-top: 1px solid var(--line); padding-top: 10px; }
details + details { margin-top: 12px; }
summary { cursor: pointer; font-size: .92rem; color: var(--soft); } summary:hover { color: var(--ink); }
details > .scroll { margin-top: 12px; }
.protocol {
  display: grid; grid-template-columns: minmax(90px, max-content) minmax(0, 1fr); gap: 4px 20px; font-size: .84rem;
}
.protocol .protocol { font-size: 1em; }
.protocol dt { color: var(--soft); } .protocol dd { overflow-wrap: anywhere; }
.items { list-style: none; padding: 0; max-height: 15em; overflow-y: auto; columns: 22ch; column-gap: 28px; }
.items li { break-inside: avoid; }
@media (max-width: 760px) {
  .plots > .wide { grid-column: auto; }
  .plot p { min-height: 0; }
  .figures tbody th small { display: block; } .figures td:first-of-type { white-space: normal; min-width: 6.5em; }
  th, td { padding-inline: 8px; }
  .mistakes { grid-template-columns: repeat(auto-fill, minmax(96px, 1fr)); gap: 14px 12px; }
}
@media print {
  body { font-size: 11px; }
  h2, h3, .about { break-after: avoid; }
  .plot, .panel, .mistakes figure, tbody, .matrix { break-inside: avoid; }
  .plots { grid-template-columns: 1fr 1fr; gap: 14px 28px; } .plots > .wide { grid-column: 1 / -1; }
  .matrix svg { max-width: 100%; }
  .scroll { overflow: visible; }
  .items { max-height: none; }
  details::details-content { content-visibility: visible; }
  * { print-color-adjust: exact; }
}
"""

CSS = COLOURS + TEXT + TABLES + PLOTS + MISTAKES
