"""Every read endpoint against a naive model: the same spans, plain Python loops, nothing of the server's own code."""
