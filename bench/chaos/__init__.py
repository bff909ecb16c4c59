"""Trials of the promise: an acknowledged span is stored exactly once, whatever dies, stops or fills up meanwhile."""
