"""Reading formulas: from LaTeX to trees that say what is written, before anybody knows what the names mean."""
