"""The Axonize server: an observability backend for AI inference."""

__version__ = "0.1.0"
