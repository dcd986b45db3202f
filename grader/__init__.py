"""Grades notebook assignments: runs them in isolation, judges the answers, names the mistake."""
