"""The look of a report, on top of that of a sheet: cards that open, in the colour of their verdict."""

from __future__ import annotations

from typing import Final

REPORT_CSS: Final = """
.tiles { display: flex; flex-wrap: wrap; gap: 0.6rem; margin: 0 0 1.2rem; }
.tile { display: flex; align-items: baseline; gap: 0.45rem; padding: 0.55rem 0.95rem; border-radius: 8px;
  background: var(--tint); border-left: 4px solid currentColor; color: var(--ink); }
.tile b { font-size: 1.35rem; line-height: 1.1; font-variant-numeric: tabular-nums; }
.tile.ok { border-color: var(--ok); } .tile.bad { border-color: var(--bad); }
.tile.open { border-color: var(--open); }
.sign { font-weight: 700; } .ok > .sign { color: var(--ok); } .bad > .sign { color: var(--bad); }
.open > .sign { color: var(--open); }
.source { color: var(--soft); font-size: 0.92rem; margin: 0 0 1.2rem; }
.mend { background: var(--tint); border-radius: 8px; padding: 0.8rem 1.1rem; margin: 0 0 2.2rem; }
.mend h2 { font-size: 1rem; border: 0; margin: 0 0 0.3rem; padding: 0; }
.mend ul { margin: 0; padding: 0; list-style: none; } .mend li { margin: 0.25rem 0; color: var(--ink); }
.item { padding-left: 1.5rem; position: relative; margin: 0.35rem 0; }
.item > .bullet { position: absolute; left: 0; min-width: 1.1rem; text-align: right; color: var(--soft); }
.shown { overflow-x: auto; overflow-y: hidden; margin: 1rem 0; padding: 0.3rem 0; text-align: center; }
.shown > math { display: block math; width: max-content; margin: 0 auto; font-size: 1.15em; }
pre { overflow-x: auto; background: var(--tint); border-radius: 8px; padding: 0.8rem 1rem; line-height: 1.45; }
pre > code { background: none; padding: 0; overflow-wrap: normal; }
.claims { margin: 1.1rem 0; }
.claim { border: 1px solid var(--line); border-left: 4px solid var(--open); border-radius: 8px;
  margin: 0.5rem 0; scroll-margin-top: 1rem; background: var(--page);
  color: var(--ink); }
.claim.ok { border-left-color: var(--ok); } .claim.bad { border-left-color: var(--bad); }
.claim:target { box-shadow: 0 0 0 3px color-mix(in srgb, var(--link) 35%, transparent); }
.claim > summary { display: flex; align-items: center; gap: 0.9rem; padding: 0.35rem 0.9rem 0.35rem 0.8rem;
  cursor: pointer; list-style: none; border-radius: 7px; }
.claim > summary::-webkit-details-marker { display: none; }
.claim > summary:hover { background: var(--tint); }
.claim > summary:focus-visible { outline: 2px solid var(--link); outline-offset: 1px; }
.claim > summary::after { content: "▸"; color: var(--soft); flex: none; transition: transform 0.15s; }
.claim[open] > summary::after { transform: rotate(90deg); }
.claim[open] > summary { border-bottom: 1px solid var(--line); border-radius: 7px 7px 0 0; }
.verdict { flex: none; width: 6.6rem; font-size: 0.92rem; font-weight: 600; white-space: nowrap; }
.claim.ok .verdict { color: var(--ok); } .claim.bad .verdict { color: var(--bad); }
.claim.open .verdict { color: var(--open); }
.claim .formula { padding: 0.3rem 0.2rem; } .claim .formula > code { display: inline-block; }
.claim > summary > .formula { text-align: left; }
.inside { padding: 0.35rem 1.1rem 0.9rem; } .inside .eq { margin: 0.6rem 0; }
.inside .note { padding-left: 0.2rem; } .inside .scroll { margin: 0.7rem 0; }
.inside .data thead { display: none; } .inside .data tr { display: flex; align-items: center; gap: 0.5rem; }
.inside .data tbody { display: flex; flex-wrap: wrap; gap: 0.6rem 1.8rem; align-items: center; }
.inside .data td { padding: 0; border: 0; } .inside .data td:first-child::after { content: " ="; }
.first-wrong { margin: 0.4rem 0 0; padding-left: 0.9rem; font-weight: 600; color: var(--bad); }
.tag { font-size: 0.78em; vertical-align: super; line-height: 0; font-weight: 700; margin-left: 0.15em; }
a.tag.ok { color: var(--ok); } a.tag.bad { color: var(--bad); } a.tag.open { color: var(--open); }
h2, h3, h4 { scroll-margin-top: 1rem; }
@media (max-width: 40rem) { .claim > summary { flex-wrap: wrap; gap: 0.2rem 0.6rem; }
  .claim > summary > .formula { order: 3; flex: 0 0 100%; } .verdict { flex: 1; } }
@media print { .claim { break-inside: avoid; } .claim > summary::after { content: none; } }
"""
