"""Judging the claims of pages and of claims files: each in the model that it speaks of."""
