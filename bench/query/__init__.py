"""What the REST API's questions cost with ten million spans stored and more arriving: `make bench-query`."""
