"""Functions written by hand, judged against the derived gradients: names, layouts, points, verdicts, diagnoses."""
