"""What operations manage: tenants, the cards they own, what processes can run on, and who ran there when."""

from registry.models.api_key import ApiKey
from registry.models.compute_resource import ComputeResource
from registry.models.physical_gpu import PhysicalGPU
from registry.models.resource_context import ResourceContext
from registry.models.tenant import Tenant

__all__ = ["ApiKey", "ComputeResource", "PhysicalGPU", "ResourceContext", "Tenant"]
