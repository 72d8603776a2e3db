"""Targets: a program printed in a language, syntax only; what an operation is called there stands in its row."""
