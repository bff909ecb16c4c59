"""The registry in the Django admin: inventory and corrections, tenants and their API keys."""

from django.contrib import admin

from registry.admin import api_keys, gpus, tenants

__all__ = ["api_keys", "gpus", "tenants"]

admin.site.site_header = admin.site.site_title = "Axonize"
admin.site.index_title = "GPU registry"
