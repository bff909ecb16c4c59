"""The Django app configuration of ingest."""

from importlib import import_module

from django.apps import AppConfig


class IngestConfig(AppConfig):
    name = "ingest"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # its models are loaded only now
        import_module("axonize.metrics.page").SCRAPED.register(import_module("ingest.metrics").IngestCollector())
