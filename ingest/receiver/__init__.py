"""The receiver: OTLP over gRPC and HTTP, transport only. What a request is worth is decided in ingest.intake."""
