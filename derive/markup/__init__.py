"""Pages as they are found: which of their characters are mathematics, which are prose; none is understood here."""
