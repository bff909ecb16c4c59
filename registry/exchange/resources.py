"""Which columns the files of nodes, cards and compute resources have: their key, and what an operator sets.

A fact that can be seen too has two: `model` is what is set, empty where nothing is, and `seen_model` is there to read.
"""

from import_export.fields import Field

from registry.exchange.columns import OfTenantWidget, column, seen_column
from registry.exchange.keyed import KeyedResource
from registry.models import ComputeResource, Node, PhysicalGPU


class NodeResource(KeyedResource):
    key_column = "name"
    name = column(Node, "name")
    cloud_provider = column(Node, "cloud_provider")
    region = column(Node, "region")
    zone = column(Node, "zone")
    machine_type = column(Node, "machine_type")
    driver_version = column(Node, "driver_version")
    cuda_version = column(Node, "cuda_version")
    labels = column(Node, "labels")

    class Meta(KeyedResource.Meta):
        model = Node
        import_id_fields = ("tenant", "name")
        fields = (
            *("tenant", "name", "cloud_provider", "region", "zone", "machine_type"),
            *("driver_version", "cuda_version", "labels"),
        )
        export_order = import_order = fields


class PhysicalGPUResource(KeyedResource):
    uuid = column(PhysicalGPU, "uuid")
    model = column(PhysicalGPU, "set_model", "model")
    vendor = column(PhysicalGPU, "set_vendor", "vendor")
    node_id = Field(column_name="node_id", attribute="set_node", widget=OfTenantWidget(Node, "name"))
    memory_total_gb = column(PhysicalGPU, "set_memory_total_gb", "memory_total_gb")
    cost_per_hour_usd = column(PhysicalGPU, "cost_per_hour_usd")
    labels = column(PhysicalGPU, "labels")
    architecture = column(PhysicalGPU, "architecture")
    compute_capability = column(PhysicalGPU, "compute_capability")
    sm_count = column(PhysicalGPU, "sm_count")
    tflops = column(PhysicalGPU, "tflops")
    tdp_watts = column(PhysicalGPU, "tdp_watts")
    numa_node = column(PhysicalGPU, "numa_node")
    pcie_bus_id = column(PhysicalGPU, "pcie_bus_id")
    seen_model = seen_column("seen_model")
    seen_vendor = seen_column("seen_vendor")
    seen_node_id = seen_column("seen_node", "seen_node_id", OfTenantWidget(Node, "name"))
    seen_memory_total_gb = seen_column("seen_memory_total_gb")

    class Meta(KeyedResource.Meta):
        model = PhysicalGPU
        import_id_fields = ("tenant", "uuid")
        fields = (
            *("tenant", "uuid", "model", "vendor", "node_id", "memory_total_gb", "cost_per_hour_usd", "labels"),
            *("architecture", "compute_capability", "sm_count", "tflops", "tdp_watts", "numa_node", "pcie_bus_id"),
            *("seen_model", "seen_vendor", "seen_node_id", "seen_memory_total_gb"),
        )
        export_order = import_order = fields


class ComputeResourceResource(KeyedResource):
    uuid = column(ComputeResource, "uuid")
    physical_uuid = Field(
        column_name="physical_uuid", attribute="set_physical", widget=OfTenantWidget(PhysicalGPU, "uuid")
    )
    resource_type = column(ComputeResource, "set_resource_type", "resource_type")
    memory_total_gb = column(ComputeResource, "set_memory_total_gb", "memory_total_gb")
    mig_profile = column(ComputeResource, "set_mig_profile", "mig_profile")
    gi_id = column(ComputeResource, "gi_id")
    ci_id = column(ComputeResource, "ci_id")
    sm_share = column(ComputeResource, "set_sm_share", "sm_share")
    cost_per_hour_usd = column(ComputeResource, "set_cost_per_hour_usd", "cost_per_hour_usd")
    labels = column(ComputeResource, "labels")
    seen_physical_uuid = seen_column("seen_physical", "seen_physical_uuid", OfTenantWidget(PhysicalGPU, "uuid"))
    seen_resource_type = seen_column("seen_resource_type")
    seen_memory_total_gb = seen_column("seen_memory_total_gb")

    class Meta(KeyedResource.Meta):
        model = ComputeResource
        import_id_fields = ("tenant", "uuid")
        fields = (
            *("tenant", "uuid", "physical_uuid", "resource_type", "memory_total_gb", "mig_profile", "gi_id", "ci_id"),
            *("sm_share", "cost_per_hour_usd", "labels"),
            *("seen_physical_uuid", "seen_resource_type", "seen_memory_total_gb"),
        )
        export_order = import_order = fields
