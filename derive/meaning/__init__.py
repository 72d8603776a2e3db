"""From formulas to models: what a page defines, which kinds and sizes its names have, which models it tells of."""
