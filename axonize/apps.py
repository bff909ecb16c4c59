"""The Django app that carries the project's own management commands."""

from django.apps import AppConfig


class AxonizeConfig(AppConfig):
    name = "axonize"
    verbose_name = "Axonize"
