"""What operations manage: tenants, their nodes, the cards in them, what processes run on, and who ran there when."""

from registry.models.api_key import ApiKey
from registry.models.compute_resource import ComputeResource, RetiredBy
from registry.models.node import Node
from registry.models.physical_gpu import PhysicalGPU
from registry.models.resource_context import EndedBy, ResourceContext
from registry.models.tenant import Tenant

__all__ = [
    "ApiKey",
    "ComputeResource",
    "EndedBy",
    "Node",
    "PhysicalGPU",
    "ResourceContext",
    "RetiredBy",
    "Tenant",
]
