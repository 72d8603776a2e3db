"""A claim with all that it speaks of: what is written out, what is left unsaid, and one name for each thing."""
