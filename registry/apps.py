"""The Django app configuration of registry."""

from importlib import import_module

from django.apps import AppConfig


class RegistryConfig(AppConfig):
    name = "registry"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import_module("registry.signals")
        import_module("registry.history")
