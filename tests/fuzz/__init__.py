"""Inputs that nobody thought of, into every door: a few in the suite, as many as wanted by `make fuzz`."""
