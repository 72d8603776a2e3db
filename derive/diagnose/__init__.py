"""What is wrong with a claim: small edits of a formula, and the search for one that makes it hold."""
