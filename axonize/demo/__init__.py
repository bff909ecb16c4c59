"""The traffic of a small believable fleet, sent over OTLP so that a new installation has something to show."""
