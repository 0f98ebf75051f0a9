"""The style sheet of the page, for light and dark mode, and for screens from phone to desktop."""

PAGE_CSS = """
:root {
  --paper: #faf7f2; --card: #ffffff; --ink: #1d1b19; --soft: #6d665e; --line: #e6dfd5;
  --accent: #c2410c; --heat-rgb: 194 65 12; --good: #15803d; --bad: #b91c1c; --on-heat: #ffffff;
  --shadow: 0 1px 2px rgb(60 40 20 / .05), 0 8px 24px rgb(60 40 20 / .06);
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #141210; --card: #1e1b18; --ink: #f1ece5; --soft: #a39a8f; --line: #332e29;
    --accent: #fb923c; --heat-rgb: 251 146 60; --good: #4ade80; --bad: #f87171; --on-heat: #1d1208;
    --shadow: 0 1px 2px rgb(0 0 0 / .4);
  }
}
* { box-sizing: border-box; margin: 0; }
html { -webkit-text-size-adjust: 100%; }
body {
  background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  -webkit-font-smoothing: antialiased;
}
header, main, footer { max-width: 1180px; margin: 0 auto; padding: 0 clamp(18px, 4vw, 44px); }
header { padding-top: clamp(36px, 6vw, 72px); }
.mark { font-weight: 700; letter-spacing: .02em; color: var(--accent); }
h1, h2, .query { font-family: "Iowan Old Style", "Palatino Linotype", Palatino, "Source Serif 4", Georgia, serif; }
h1 {
  font-size: clamp(2.3rem, 6.4vw, 4.2rem); line-height: 1.06; letter-spacing: -.02em;
  font-weight: 600; margin: .25em 0 .4em;
}
h2 { font-size: clamp(1.6rem, 3.4vw, 2.2rem); line-height: 1.2; letter-spacing: -.01em; font-weight: 600; }
.lead { font-size: clamp(1.02rem, 1.6vw, 1.18rem); color: var(--soft); max-width: 60ch; }
.facts {
  display: flex; flex-wrap: wrap; gap: 14px 44px; margin-top: 30px; padding: 20px 0;
  border-block: 1px solid var(--line);
}
.facts dt { font-size: 1.5rem; font-weight: 650; letter-spacing: -.01em; font-variant-numeric: tabular-nums; }
.facts dd { color: var(--soft); font-size: .88rem; }
section { padding-top: clamp(44px, 7vw, 76px); }
.about { color: var(--soft); max-width: 68ch; margin: 6px 0 24px; }
img { display: block; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 208px), 1fr)); gap: 20px; }
.card {
  background: var(--card); border: 1px solid var(--line); border-radius: 14px; overflow: hidden;
  box-shadow: var(--shadow);
}
.photo { position: relative; }
.photo img { width: 100%; aspect-ratio: 4 / 3; object-fit: cover; background: var(--line); }
.right, .wrong {
  position: absolute; right: 10px; top: 10px; width: 26px; height: 26px; border-radius: 50%; background: var(--card);
  display: grid; place-items: center; font-size: .85rem; font-weight: 700; box-shadow: 0 1px 4px rgb(0 0 0 / .25);
}
.right { color: var(--good); } .wrong { color: var(--bad); }
.card h3 {
  display: flex; justify-content: space-between; align-items: baseline; gap: 10px; padding: 12px 14px 0;
  font-size: .98rem; font-weight: 620; line-height: 1.3; overflow-wrap: anywhere;
}
.card small { color: var(--soft); font-weight: 400; font-size: .72rem; white-space: nowrap; }
.bars { list-style: none; padding: 9px 14px 15px; font-size: .84rem; }
.bars li { display: grid; grid-template-columns: 1fr auto; gap: 0 8px; margin-top: 5px; color: var(--soft); }
.bars li:first-child { color: var(--ink); }
.label { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.value { font-variant-numeric: tabular-nums; }
.bar { grid-column: 1 / -1; height: 4px; border-radius: 2px; background: var(--line); overflow: hidden; }
.bar span { display: block; height: 100%; min-width: 2px; border-radius: 2px; background: var(--soft); opacity: .55; }
.bars li:first-child .bar span { background: var(--accent); opacity: 1; }
.search { padding: 20px 0 24px; border-top: 1px solid var(--line); }
.query { font-size: 1.35rem; font-weight: 500; line-height: 1.3; margin-bottom: 14px; }
.query::before { content: "\\201c"; color: var(--accent); } .query::after { content: "\\201d"; color: var(--accent); }
.not { font-style: italic; color: var(--accent); }
.hits {
  display: grid; grid-template-columns: repeat(5, minmax(128px, 1fr)); gap: 14px; overflow-x: auto;
  padding-bottom: 4px;
}
.hits img { width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 12px; border: 1px solid var(--line); }
.hits figure:first-child img { outline: 3px solid var(--accent); outline-offset: -3px; }
.hits figcaption { margin-top: 5px; font-size: .8rem; color: var(--soft); font-variant-numeric: tabular-nums; }
.maps { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 208px), 1fr)); gap: 20px; }
.maps img { width: 100%; height: auto; border-radius: 12px; border: 1px solid var(--line); }
.maps figcaption { margin-top: 6px; font-size: .88rem; color: var(--soft); } .maps b { color: var(--ink); }
.scroll {
  overflow: auto; max-width: 100%; background: var(--card); border: 1px solid var(--line); border-radius: 14px;
  padding: 0 14px 14px 0; box-shadow: var(--shadow);
}
.heat {
  width: 100%; border-collapse: separate; border-spacing: 2px; font-size: .68rem; font-variant-numeric: tabular-nums;
}
.heat thead th, .heat thead td { padding-top: 12px; }
.heat thead img { width: 31px; height: 31px; object-fit: cover; border-radius: 7px; margin: 0 auto 2px; }
.heat tbody th {
  position: sticky; left: 0; background: var(--card); text-align: right; font-weight: 450; font-size: .8rem;
  white-space: nowrap; padding: 0 10px 0 14px; max-width: min(46vw, 190px); overflow: hidden; text-overflow: ellipsis;
}
.heat tbody td {
  min-width: 31px; height: 28px; text-align: center; border-radius: 5px; color: var(--soft);
  background: rgb(var(--heat-rgb) / calc(.05 + .95 * var(--heat)));
}
.heat td.warm { color: var(--ink); }
.heat td.strong { color: var(--on-heat); font-weight: 600; }
footer { color: var(--soft); font-size: .88rem; padding-top: 56px; padding-bottom: 56px; }
footer p + p { margin-top: 6px; }
code {
  font: .92em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; color: var(--ink);
  background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: 2px 7px; overflow-wrap: anywhere;
}
@media (max-width: 560px) {
  .cards { grid-template-columns: 1fr 1fr; gap: 12px; }
  .card small { display: none; }
  .facts { gap: 14px 28px; }
}
@media print {
  body { background: none; }
  .card, .scroll { box-shadow: none; break-inside: avoid; }
  * { print-color-adjust: exact; }
}
"""
