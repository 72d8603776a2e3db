"""The version of derive, and when this process began to import it."""

import time

VERSION = "0.1.0"  # pyproject.toml reads it here: asking the installed package would cost a start some milliseconds

LOADED = time.time_ns()
"""Since when the modules in memory may differ from their files."""
