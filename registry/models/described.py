"""What the registry says of compute resources, whoever told it: the card's word, the span's, and the price."""

from decimal import Decimal
from typing import Any, Final, Self

from django.conf import settings
from django.db import models
from django.db.models import Case, Count, F, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Cast, Coalesce, NullIf, Round
from django.db.models.lookups import GreaterThan

# What is taken to be so where nobody says otherwise (docs/conventions.md); so it is not worth storing.
FULL_CARD: Final = "full_gpu"
UNKNOWN_SLICE: Final = "mig"
USUAL_VENDOR: Final = "NVIDIA"
PRICE_PLACES: Final = 6
_PRICE: Final = models.DecimalField(max_digits=18, decimal_places=PRICE_PLACES)


class ComputeResourceQuerySet(models.QuerySet[Any]):
    """Reads of compute resources that recur."""

    def of_tenant(self, slug: str) -> Self:
        return self.filter(tenant__slug=slug)

    def described(self) -> Self:
        """Add what the registry says of each: `physical_uuid`, `model`, `vendor`, `node_id`, `cost_per_hour_usd`.

        The card's word counts; what it leaves blank comes from the resource's own spans. Texts are "" where unknown,
        but `type_or_guess` and `vendor_or_guess` never are: they fall back on what is usual. `share` is the part of its
        card's price that is the resource's, a Decimal above 0 up to 1; the price is rounded half up to a millionth of a
        dollar, and a price set on the resource itself wins. Both are None where they can't be known.
        """
        typed = self.annotate(
            type_or_guess=Case(
                When(~Q(resource_type=""), then=F("resource_type")),
                When(physical__uuid=F("uuid"), then=Value(FULL_CARD)),
                default=Value(UNKNOWN_SLICE),
            ),
            physical_uuid=Coalesce(F("physical__uuid"), Value("")),
            model=_card_or_seen("model"),
            vendor=_card_or_seen("vendor"),
            vendor_or_guess=Coalesce(NullIf(_card_or_seen("vendor"), Value("")), Value(USUAL_VENDOR)),
            node_id=Coalesce(F("physical__node__name"), F("seen_node__name"), Value("")),
        )
        return typed.annotate(share=share_of_card(self.model)).annotate(
            cost_per_hour_usd=Coalesce(
                F("set_cost_per_hour_usd"),
                Round(F("physical__cost_per_hour_usd") * F("share"), precision=PRICE_PLACES, output_field=_PRICE),
            )
        )

    def with_set_texts(self) -> Self:
        """Add what operators set of each, "" where they left it blank: `set_physical_uuid`, `set_model` and so on."""
        return self.annotate(
            set_physical_uuid=Coalesce(F("set_physical__uuid"), Value("")),
            set_model=Coalesce(F("physical__set_model"), Value("")),
            set_vendor=Coalesce(F("physical__set_vendor"), Value("")),
            set_node_id=Coalesce(F("physical__set_node__name"), Value("")),
        )

    def in_conflict(self) -> Self:
        """Those of which something else was seen than an operator set; `conflicts` names it."""
        return self.exclude(conflicts=[])

    def retired(self) -> Self:
        """Those that are not there any more."""
        return self.filter(retired_at__isnull=False)

    def siblings_of(self, resource: Any) -> Self:
        """Return the other resources on the same card; none where its card is not known."""
        if resource.physical_id is None:
            return self.none()
        return self.filter(physical_id=resource.physical_id).exclude(pk=resource.pk)


def _card_or_seen(field: str) -> Coalesce:
    return Coalesce(NullIf(F(f"physical__{field}"), Value("")), F(f"seen_{field}"))


def share_of_card(model: Any) -> Case:
    """Return the expression of a resource's share of its card, by settings.COST_SHARE; `type_or_guess` is there."""
    match settings.COST_SHARE:
        case "sm":
            of_slice: Any = F("sm_share")
        case "equal":
            slices = (
                model.objects.filter(physical=OuterRef("physical"), retired_at=None)
                .exclude(uuid=OuterRef("physical__uuid"))
                .order_by()
                .values("physical")
                .annotate(count=Count("pk"))
            )
            number = models.DecimalField(max_digits=24, decimal_places=0)
            of_slice = Value(Decimal(1)) / NullIf(Cast(Subquery(slices.values("count")), number), Value(Decimal(0)))
        case _:
            gigabytes = models.DecimalField(max_digits=24, decimal_places=9)
            # what some span says may be so little that it is nothing here
            of_card = NullIf(Cast("physical__memory_total_gb", gigabytes), Value(Decimal(0)))
            of_slice = Cast("memory_total_gb", gigabytes) / of_card
    return Case(
        When(type_or_guess=FULL_CARD, then=Value(Decimal(1))),
        When(GreaterThan(of_slice, Value(Decimal(1))), then=Value(Decimal(1))),
        default=of_slice,
        output_field=models.DecimalField(max_digits=24, decimal_places=18),
    )
