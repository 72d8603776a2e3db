"""Deciding whether a formula holds: by normal form for all sizes, by exact residues, by a real counterexample."""
