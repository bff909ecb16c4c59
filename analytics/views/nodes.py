"""Nodes: the registry's records of the machines that cards sit in."""

from typing import Any, ClassVar, Final

from analytics.filters import NodeFilter
from analytics.registry_serializers import NodePageSerializer, NodeSerializer
from analytics.views.bulk import BulkViews
from analytics.views.examples import FIRST_SEEN, LAST_SEEN, NODE
from analytics.views.labelled import LABELS_PARAMETER, LabelledPageParameters
from analytics.views.registry_docs import documented
from registry.models import Node

MACHINE: Final = {
    "node_id": NODE,
    "cloud_provider": "aws",
    "region": "us-east-1",
    "zone": "us-east-1a",
    "machine_type": "p5.48xlarge",
    "driver_version": "570.86.15",
    "cuda_version": "12.8",
    "labels": {"cluster": "east", "rack": "b7"},
    "first_seen": FIRST_SEEN,
    "last_seen": LAST_SEEN,
}


class NodeListParameters(LabelledPageParameters):
    """What `GET /nodes` takes."""

    filters = NodeFilter


@documented(
    names=("node", "nodes"),
    serializer=NodeSerializer,
    page=NodePageSerializer,
    parameters=[NodeListParameters, LABELS_PARAMETER],
    example=MACHINE,
    change={"driver_version": "570.124.06"},
    deletes="Delete a node. Its cards stay, in no node; the next span that names the node registers it again.",
)
class NodeViews(BulkViews):
    queryset = Node.objects.all()
    serializer_class = NodeSerializer
    page_serializer = NodePageSerializer
    rows_field = "nodes"
    list_parameters = NodeListParameters
    order = ("name",)
    noun = "node"
    lookup_field = "node_id"
    model_key = "name"
    refusals: ClassVar[dict[str, Any]] = {"node_name_unique": ("node_id", "There is a node with this name already.")}
