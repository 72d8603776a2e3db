"""The look of an HTML sheet: one column, light and dark, at home on a phone and on paper."""

from __future__ import annotations

from typing import Final

CSS: Final = """
:root { color-scheme: light dark; --ink: #1d2330; --soft: #667085; --line: #e3e6ec; --page: #ffffff;
  --tint: #f6f7f9; --link: #2456c7; --ok: #1a7f4b; --bad: #c0362c; --open: #7a8294; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7ee; --soft: #99a2b3; --line: #2e3543;
  --page: #14171e;
  --tint: #1b2029; --link: #8fb2ff; --ok: #5cc98d; --bad: #ff8a7d; --open: #8f98a9; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 1rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 52rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1, h2, h3, h4 { line-height: 1.25; font-weight: 650; text-wrap: balance; }
h1 { font-size: 1.9rem; margin: 0 0 1.5rem; letter-spacing: -0.015em; }
h2 { font-size: 1.3rem; margin: 2.6rem 0 0.8rem; padding-bottom: 0.35rem;
  border-bottom: 1px solid var(--line); }
h3 { font-size: 1.08rem; margin: 2rem 0 0.6rem; } h4 { font-size: 1rem; margin: 1.5rem 0 0.5rem; }
p { margin: 0.8rem 0; overflow-wrap: break-word; } ul { margin: 0.8rem 0; padding-left: 1.3rem; }
a { color: var(--link); text-decoration: none; } a:hover { text-decoration: underline; }
code { font: 0.9em ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace;
  background: var(--tint); padding: 0.1em 0.35em; border-radius: 4px; overflow-wrap: anywhere; }
hr { border: 0; border-top: 1px solid var(--line); margin: 2rem 0; }
math { font-family: "Derive Math", "STIX Two Math", "Latin Modern Math", "Cambria Math", math;
  font-size: 1.1em; }
mo.accent { position: relative; top: -0.08em; left: 0.05em; } mo.vec { font-size: 0.6em; top: -0.25em; }
mtable.matrix mtd { padding: 0.3em 0.5em; }
mtable.cases mtd { padding: 0.25em 0.8em 0.25em 0; } mtable.aligned mtd { padding: 0.35em 0; }
nav { background: var(--tint); border-radius: 8px; padding: 0.8rem 1.1rem; margin: 0 0 2rem;
  font-size: 0.94rem; }
nav ol { list-style: none; margin: 0; padding: 0; } nav li { margin: 0.15rem 0; }
  nav .deep { padding-left: 1.2rem; }
.eq { margin: 1.1rem 0; scroll-margin-top: 1rem; border-radius: 6px; }
.eq:target { background: var(--tint); box-shadow: 0 0 0 0.5rem var(--tint); }
.line { display: flex; align-items: center; gap: 0.6rem; }
.formula { flex: 1; min-width: 0; overflow-x: auto; overflow-y: hidden;
  padding: 0.35rem 0.2rem 0.35rem 1.25rem;
  font-size: 1.06em; }
.formula > math { display: block math; width: max-content; }
.number { flex: none; color: var(--soft); font-variant-numeric: tabular-nums; }
.note { color: var(--soft); font-size: 0.88rem; margin: 0.05rem 0 0; padding-left: 1.25rem; }
.mark { flex: none; width: 1.1em; text-align: center; font-weight: 600; font-size: 0.95em; }
.ok { color: var(--ok); } .bad { color: var(--bad); } .open { color: var(--open); }
.scroll { overflow-x: auto; margin: 1.1rem 0; }
table { border-collapse: collapse; } .steps td { padding: 0.38rem 0; vertical-align: baseline; }
.steps .left { text-align: right; white-space: nowrap; padding-left: 1.25rem; }
.steps .right { white-space: nowrap; padding-right: 1.6rem; }
.steps .why { color: var(--soft); font-size: 0.88rem; min-width: 11rem; } .steps .mark { width: 1.6em; }
.data { min-width: 60%; } .data th { text-align: left; font-weight: 600;
  border-bottom: 2px solid var(--line); }
.data th, .data td { padding: 0.45rem 1.2rem 0.45rem 0; vertical-align: baseline; }
.data tr + tr td { border-top: 1px solid var(--line); }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--soft);
  font-size: 0.88rem; }
@media (max-width: 40rem) {
  main { padding: 1.5rem 1rem 3rem; } h1 { font-size: 1.5rem; }
  .steps, .steps tbody { display: block; } .steps tr { display: flex; flex-wrap: wrap; align-items: baseline;
  padding: 0.3rem 0; } .steps td { padding: 0.15rem 0; } .steps .left { padding-left: 0.3rem; }
  .steps .left:empty { padding: 0 0 0 1.2rem; }
  .steps .right { padding-right: 0.6rem; } .steps .mark { order: 3; }
  .steps .why { order: 4; flex: 0 0 100%; min-width: 0; padding-left: 0.3rem; }
    .steps .why:empty { display: none; } }
@media print { @page { margin: 18mm; } main { max-width: none; padding: 0; } body { font-size: 10.5pt; }
  :root { --page: #fff; --ink: #000; } nav { display: none; } h2, h3, h4 { break-after: avoid; }
  .eq, .steps tr, .data tr { break-inside: avoid; } .formula, .scroll { overflow: visible; }
    a { color: inherit; } }
"""
