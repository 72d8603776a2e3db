"""Derivation sheets: a document, the formulas in it, and every format it is written in."""
