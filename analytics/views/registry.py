"""The registry's objects over REST: what the endpoints of cards, resources and contexts have in common."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Final
from urllib.parse import quote

import psycopg
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from rest_framework import status
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from analytics.etags import etag_of, require_match
from analytics.params import QueryParameters, page_of
from analytics.queries.keyset import find_rows
from analytics.serializers import PageSerializer
from analytics.tenancy import tenant_of
from analytics.views.labelled import LabelledPageParameters, has_labels
from registry.models import Tenant

ANY_TEXT: Final = re.compile("[^\0]+")
CHANGED_MEANWHILE: Final = "What this belongs to, or what belongs to it, changed at the same moment. Try again."


class RegistryViews(GenericViewSet[Any]):
    """One kind of object: listed, created, read, replaced, changed and deleted within the tenant of the request."""

    filter_backends = ()
    pagination_class = None
    list_parameters: ClassVar[type[LabelledPageParameters]]
    page_serializer: ClassVar[type[PageSerializer]]
    # The field of page_serializer that has the rows.
    rows_field: ClassVar[str]
    order: ClassVar[tuple[str, ...]]
    noun: ClassVar[str]
    # The column that the address names an object by.
    model_key: ClassVar[str] = "uuid"
    key_pattern: ClassVar[re.Pattern[str]] = ANY_TEXT
    tenant_lookup: ClassVar[str] = "tenant__slug"
    # The field and the sentence of what only the database can refuse, by the names of its constraints.
    refusals: ClassVar[Mapping[str, tuple[str, str]]]

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset().filter(**{self.tenant_lookup: tenant_of(self.request)})

    def list(self, request: Request) -> Response:
        parameters = self.list_parameters.read(request)
        page = page_of(request, parameters)
        wanted = self.list_parameters.filters(request.query_params, self.get_queryset())
        if not wanted.is_valid():
            raise ValidationError(wanted.errors)
        found = find_rows(wanted.qs.filter(has_labels(parameters["attributes"])), order=self.order, page=page)
        answer = {
            self.rows_field: found.rows,
            "total": found.total,
            "limit": page.limit,
            "offset": page.offset,
            "next": found.next,
        }
        return Response(self.page_serializer(answer).data)

    def create(self, request: Request) -> Response:
        QueryParameters.read(request)
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        with self.written():
            created = body.save(**self.owner())
        key = quote(str(getattr(created, self.model_key)))
        location = {"Location": f"{request.path}/{key}"}
        return self.shown(self.get_queryset().get(pk=created.pk), status.HTTP_201_CREATED, location)

    def retrieve(self, request: Request, **_key: str) -> Response:
        QueryParameters.read(request)
        return self.shown(self.find(self.get_queryset()))

    def update(self, request: Request, *, partial: bool = False, **_key: str) -> Response:
        QueryParameters.read(request)
        data = request.data
        with self.written():
            found = self.find_unchanged()
            body = self.get_serializer(found, data=data, partial=partial)
            body.is_valid(raise_exception=True)
            body.save()
        return self.shown(self.get_queryset().get(pk=found.pk))

    def partial_update(self, request: Request, **key: str) -> Response:
        return self.update(request, partial=True, **key)

    def destroy(self, request: Request, **_key: str) -> Response:
        QueryParameters.read(request)
        with self.written():
            self.find_unchanged().delete()
        return Response(status=status.HTTP_204_NO_CONTENT)

    def owner(self) -> dict[str, Any]:
        """Return the values that a new object has by who asks."""
        slug = tenant_of(self.request)
        return {"tenant": Tenant.objects.get_or_create(slug=slug, defaults={"name": slug})[0]}

    def find(self, among: QuerySet[Any]) -> Any:
        """Return the object that the address names. Raises NotFound, also for one of another tenant."""
        key = self.kwargs[self.lookup_field]
        found = among.filter(**{self.model_key: key}).first() if self.key_pattern.fullmatch(key) else None
        if found is None:
            raise NotFound(f"There is no such {self.noun}.")
        return found

    def find_unchanged(self) -> Any:
        """Return it, locked, for a transaction that writes all of it: nobody else's change gets lost, and no deletion.

        Raises PreconditionFailed where the request is for another state of it.
        """
        found = self.find(self.get_queryset().select_for_update(of=("self",)))
        require_match(self.request, lambda: etag_of(self.get_serializer(found).data))
        return found

    def shown(self, found: Any, code: int = status.HTTP_200_OK, headers: Mapping[str, str] | None = None) -> Response:
        """Answer with an object and its ETag."""
        data = self.get_serializer(found).data
        return Response(data, status=code, headers={**(headers or {}), "ETag": etag_of(data)})

    @contextmanager
    def written(self) -> Iterator[None]:
        """Make one transaction of a write. Raises ValidationError naming the field that a constraint refuses."""
        try:
            with transaction.atomic():
                yield
        except IntegrityError as error:
            cause = error.__cause__
            name = cause.diag.constraint_name if isinstance(cause, psycopg.Error) else None
            field, sentence = self.refusals.get(name or "", ("non_field_errors", CHANGED_MEANWHILE))
            code = "unique" if isinstance(cause, psycopg.errors.UniqueViolation) else "invalid"
            raise ValidationError({field: sentence}, code=code) from error
