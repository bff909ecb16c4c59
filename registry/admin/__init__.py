"""The registry in the Django admin: inventory and corrections, tenants and their API keys."""

from registry.admin import api_keys, compute_resources, nodes, physical_gpus, resource_contexts, tenants

__all__ = ["api_keys", "compute_resources", "nodes", "physical_gpus", "resource_contexts", "tenants"]
