"""What a GPU's page is about: a resource that processes run on, or a card with all of its slices."""

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from rest_framework.exceptions import NotFound

from analytics.pages.window import Window
from analytics.queries.filters import SpanFilter
from analytics.queries.population import Population
from registry.models import ComputeResource, PhysicalGPU

NO_SUCH_GPU = (
    "No GPU of this UUID is known here. Search the list of GPUs for a part of it, or for the pod or the host that "
    "holds it; one that no span has named yet can be added in the registry."
)


@dataclass(frozen=True)
class Subject:
    """A GPU by its UUID, in a tenant; `part` is how the names of its parts' addresses begin."""

    tenant: str
    uuid: str
    is_card: bool

    @property
    def part(self) -> str:
        return "card" if self.is_card else "gpu"

    @property
    def resource_uuid(self) -> str | None:
        """The filter of spans by the resource; None of a card, which has the other."""
        return None if self.is_card else self.uuid

    @property
    def physical_uuid(self) -> str | None:
        return self.uuid if self.is_card else None

    @property
    def resources(self) -> QuerySet[ComputeResource]:
        """The resource itself; of a card all that are on it, the retired ones too. Described."""
        known = ComputeResource.objects.of_tenant(self.tenant).described()
        if "\0" in self.uuid:  # which no text in PostgreSQL can have
            return known.none()
        return known.filter(physical__uuid=self.uuid) if self.is_card else known.filter(uuid=self.uuid)

    @property
    def spans(self) -> SpanFilter:
        return SpanFilter(resource_uuid=self.resource_uuid, physical_uuid=self.physical_uuid)

    def population(self, window: Window) -> Population:
        return Population(self.tenant, window.start_ns, window.end_ns, self.spans)

    def resource(self) -> Any:
        """Return the resource, described(), with its card and node. One statement. Raises NotFound."""
        found = self.resources.select_related("physical__node", "seen_node").first()
        if found is None:
            raise NotFound(NO_SUCH_GPU)
        return found

    def card(self) -> PhysicalGPU | None:
        """Return the card of this UUID with its node, None where there is none. One statement."""
        cards = PhysicalGPU.objects.filter(tenant__slug=self.tenant).described().select_related("node")
        return None if "\0" in self.uuid else cards.filter(uuid=self.uuid).first()
