"""Passes: each makes a program (or the equations it comes from) better and leaves its meaning alone."""
