"""The Django app configuration of ingest."""

from importlib import import_module

from django.apps import AppConfig
from prometheus_client import REGISTRY


class IngestConfig(AppConfig):
    name = "ingest"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        REGISTRY.register(import_module("ingest.metrics").IngestCollector())  # its models are loaded only now
