"""MIG: what the type of a slice tells of its profile, its memory and its share of the card's SMs.

NVIDIA's names: `1g.10gb` has one of the card's compute slices and 10 GB, `1c.3g.40gb` is a compute instance of one
compute slice in an instance of three, `1g.10gb+me` one with media engines
(https://docs.nvidia.com/datacenter/tesla/mig-user-guide/#supported-mig-profiles).
"""

from typing import Any, Final

from django.db import models
from django.db.models import Case, F, Func, Value, When
from django.db.models.functions import Cast, Coalesce, NullIf
from django.db.models.lookups import IsNull

from registry.models.facts import text_or

_EXTRAS: Final = r"(?:\+[a-z.]{1,20})?"
_NAME: Final = rf"(?:[1-7]c\.)?[1-7]g\.[1-9][0-9]{{0,3}}gb{_EXTRAS}"
PROFILE: Final = rf"^{_NAME}$"
_PROFILE_OF_TYPE: Final = rf"^mig_({_NAME})$"
_MEMORY_OF_PROFILE: Final = rf"^(?:mig_)?(?:[1-7]c\.)?[1-7]g\.([1-9][0-9]{{0,3}})gb{_EXTRAS}$"
# `mig_40gb` tells the memory and nothing else.
_MEMORY_OF_TYPE: Final = r"^mig_([1-9][0-9]{0,3})gb$"
_SLICES: Final = rf"^(?:mig_)?([1-7])(?:c\.[1-7])?g\.[1-9][0-9]{{0,3}}gb{_EXTRAS}$"
# Cards have seven compute slices, but for those that have these profiles: A30, RTX PRO 6000. Of `1g.24gb`, which is
# one of seven of an H100 with 96 GB and one of four of the latter, an operator says which.
_OF_FOUR: Final = r"(?:^|[_.])(?:1g\.6|2g\.12|4g\.24|2g\.48|4g\.96)gb"
SM_SHARE_PLACES: Final = 18


def profile() -> Coalesce:
    """Return the expression of the profile that was set, else that the type names; "" where it names none."""
    return Coalesce(
        NullIf(F("set_mig_profile"), Value("")), _match(text_or("resource_type"), _PROFILE_OF_TYPE), Value("")
    )


def memory_gb() -> Coalesce:
    """Return the expression of the memory that was set, else seen, else that the profile or the type names."""
    named = Coalesce(_match(_name(), _MEMORY_OF_PROFILE), _match(_name(), _MEMORY_OF_TYPE))
    return Coalesce(F("set_memory_total_gb"), F("seen_memory_total_gb"), Cast(named, models.FloatField()))


def sm_share() -> Coalesce:
    """Return the expression of the share of the card's SMs that was set, else that the profile names."""
    slices = Cast(_match(_name(), _SLICES), models.DecimalField(max_digits=19, decimal_places=SM_SHARE_PLACES))
    is_of_four = IsNull(_match(_name(), _OF_FOUR), rhs=False)
    return Coalesce(F("set_sm_share"), slices / Case(When(is_of_four, then=Value(4)), default=Value(7)))


def _name() -> Coalesce:
    return Coalesce(NullIf(F("set_mig_profile"), Value("")), text_or("resource_type"))


def _match(text: Any, pattern: str) -> Func:
    return Func(text, Value(pattern), function="substring", output_field=models.TextField())
