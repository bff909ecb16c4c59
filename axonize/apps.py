"""The Django app that carries the project's own management commands."""

from importlib import import_module

from django.apps import AppConfig

from axonize.celery import app

__all__ = ["AxonizeConfig", "app"]  # the application that tasks belong to, wherever Django runs


class AxonizeConfig(AppConfig):
    name = "axonize"
    verbose_name = "Axonize"

    def ready(self) -> None:
        import_module("axonize.checks")
