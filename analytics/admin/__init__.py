"""What ClickHouse knows in the registry's admin: the latest readings in its lists, the last hour on its pages."""

from analytics.admin import compute_resources, physical_gpus

__all__ = ["compute_resources", "physical_gpus"]
