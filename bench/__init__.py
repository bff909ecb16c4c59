"""Repeatable measurements and trials, run by make, never by the test suite."""
