"""Stable forms: what code computes in place of what overflows or loses all digits; rules, and their use on a record."""
