"""Many of the registry's objects in one request: all of them are written, or none."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.db.models import Model
from django.db.models.functions import Collate
from rest_framework.decorators import action
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.body_fields import can_be_stored
from analytics.params import QueryParameters
from analytics.registry_serializers import MAX_OBJECTS, BulkSerializer
from analytics.views.registry import RegistryViews
from registry.history import create_many, update_many

# An object that is there, None for a new one, and the values for it.
Checked = tuple[Any, dict[str, Any]]


class BulkViews(RegistryViews):
    """Objects that have a name of their own, which many can be registered or changed by."""

    signed: ClassVar[tuple[str, ...]] = ()

    @action(detail=False, methods=["post"])  # by which the OpenAPI document knows it; its address is in analytics.urls
    def bulk(self, request: Request) -> Response:
        QueryParameters.read(request)
        bodies = _list_of(request.data)
        with self.written():
            there = self.there(bodies)
            owner = self.owner()
            checked = self.resolved(self.checked(bodies, there), owner)
            created = [self.model(**owner, **values) for found, values in checked if found is None]
            changed = [(found, _assign(found, values)) for found, values in checked if found is not None]
            updated = [found for found, names in changed if names]
            for each in (*created, *updated):
                self.sign(each)
            create_many(self.model, created)
            update_many(self.model, updated, sorted({*self.signed, *(name for _, names in changed for name in names)}))
        unchanged = len(bodies) - len(created) - len(updated)
        answer = {"created": len(created), "updated": len(updated), "unchanged": unchanged}
        return Response(BulkSerializer(answer).data)

    @property
    def model(self) -> type[Model]:
        model: type[Model] = self.get_queryset().model
        return model

    def there(self, bodies: Sequence[Any]) -> Mapping[str, Any]:
        """Return those that are registered already, by their name, locked in the order in which sightings lock them."""
        texts = sorted({name.strip() for name in texts_of(bodies, self.lookup_field)})
        rows = self.get_queryset().select_for_update(of=("self",)).filter(**{f"{self.model_key}__in": texts})
        return {getattr(row, self.model_key): row for row in rows.order_by(Collate(self.model_key, "C"))}

    def checked(self, bodies: Sequence[Any], there: Mapping[str, Any]) -> list[Checked]:
        """Return of each body the object that is there, if it is, and the values. Raises ValidationError by index."""
        serializer_class = self.get_serializer_class()
        context = {**self.get_serializer_context(), "references": self.references(bodies)}
        checked: list[Checked] = []
        errors: list[Any] = []
        seen: set[str] = set()
        for body in bodies:
            name = body.get(self.lookup_field) if isinstance(body, Mapping) else None
            found = there.get(name.strip()) if isinstance(name, str) else None
            serializer = serializer_class(found, data=body, partial=found is not None, context=context)
            errors.append({} if serializer.is_valid() else serializer.errors)
            if errors[-1]:
                continue
            values = dict(serializer.validated_data)
            if values[self.model_key] in seen:
                errors[-1] = {self.lookup_field: [ErrorDetail("This is in the list already.", code="repeated")]}
            seen.add(values[self.model_key])
            checked.append((found, values))
        if any(errors):
            raise ValidationError(errors)
        return checked

    def references(self, bodies: Sequence[Any]) -> Mapping[str, Any] | None:  # noqa: ARG002  a hook
        """Return the objects that the bodies name by UUID, looked up at once; None where they name none."""
        return None

    def resolved(self, checked: list[Checked], owner: Mapping[str, Any]) -> list[Checked]:  # noqa: ARG002  a hook
        """Return the values as the model has them."""
        return checked

    def sign(self, written: Any) -> None:
        """Fill in the columns `signed` of what is about to be written."""


def texts_of(bodies: Sequence[Any], field: str) -> set[str]:
    """Return the texts that bodies, whatever they are, have in a field; those that PostgreSQL can have."""
    values = (body.get(field) for body in bodies if isinstance(body, Mapping))
    return {value for value in values if isinstance(value, str) and can_be_stored(value)}


def _list_of(data: Any) -> list[Any]:
    if not isinstance(data, list):
        raise ValidationError({"non_field_errors": "Give a list of objects."}, code="invalid")
    if len(data) > MAX_OBJECTS:
        sentence = f"Give at most {MAX_OBJECTS:,} objects; send the others in another request."
        raise ValidationError({"non_field_errors": sentence}, code="max_length")
    return data


def _assign(found: Any, values: Mapping[str, Any]) -> list[str]:
    """Put the values into an object; return the names of those that are new."""
    changed = [name for name, value in values.items() if getattr(found, name) != value]
    for name in changed:
        setattr(found, name, values[name])
    return changed
