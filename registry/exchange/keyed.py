"""Files of rows that are known by their tenant and a name there; found at once, changed where a cell says otherwise."""

from collections.abc import Collection, Iterator
from typing import Any, ClassVar

import tablib
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from import_export.fields import Field
from import_export.instance_loaders import BaseInstanceLoader
from import_export.resources import ModelResource
from import_export.results import Result, RowResult

from registry.exchange.columns import OfTenantWidget, TenantWidget
from registry.exchange.constraints import Constraints
from registry.history import create_many, update_many

Key = tuple[str, str]


class KeyedInstanceLoader(BaseInstanceLoader):
    """Loads the rows that a file names in one statement; before they are written, locked until they are."""

    def __init__(self, resource: Any, dataset: tablib.Dataset) -> None:
        super().__init__(resource, dataset)
        self.known: dict[Key, Model] = {}
        if {"tenant", resource.key_column} <= set(dataset.headers or ()):
            named = {f"{resource.key_column}__in": set(dataset[resource.key_column])}
            rows = resource.get_queryset().filter(**named).order_by("pk")
            if resource.is_locking:
                rows = rows.select_for_update(of=("self",))
            self.known = {(row.tenant.slug, getattr(row, resource.key_column)): row for row in rows}

    def get_instance(self, row: dict[str, str]) -> Model | None:
        return self.known.get((row["tenant"], row[self.resource.key_column]))


class KeyedResource(ModelResource):
    """A file of rows with a tenant's slug and a name. A column that it lacks is left alone; an empty cell empties.

    Each row's result tells its `line`, its `key`, and in `changes` what is changed: (column, old cell, new cell).
    """

    key_column: ClassVar[str] = "uuid"
    tenant = Field(column_name="tenant", attribute="tenant", widget=TenantWidget())

    class Meta:
        instance_loader_class = KeyedInstanceLoader
        clean_model_instances = True
        skip_unchanged = True
        report_skipped = False
        skip_html_diff = True
        store_instance = True
        use_transactions = True
        use_bulk = True  # after_import() writes; this spares a savepoint a row

    def before_import(self, dataset: tablib.Dataset, **kwargs: Any) -> None:
        """Look up what the file names. Refuse a file with columns that nobody would read. Raises ValueError."""
        columns = {field.column_name: field for field in self.get_import_fields()}
        headers = dataset.headers or ()
        self.is_locking = bool(kwargs.get("is_for_good"))
        self.written = self._writable(headers)
        self.constraints = Constraints(self._meta.model)
        self.lines: dict[Key, int] = {}
        self.new: list[Model] = []
        self.changed: list[Model] = []
        self.edited: set[str] = set()
        for name in columns.keys() & set(headers):
            if isinstance(columns[name].widget, OfTenantWidget) and not columns[name].readonly:
                columns[name].widget.look_up(set(dataset[name]) - {""})
        unknown = [name for name in headers if name not in columns]
        if unknown:
            raise ValueError(f"There is no column “{'”, “'.join(map(str, unknown))}”; there are {', '.join(columns)}.")

    def before_import_row(self, row: dict[str, str], *, row_number: int, **kwargs: Any) -> None:
        """Refuse a key that stood in an earlier line. Raises ValidationError."""
        earlier = self.lines.setdefault((row["tenant"], row[self.key_column]), row_number)
        if earlier != row_number:
            raise ValidationError({self.key_column: f"Line {earlier + 1} has the same."})

    def after_init_instance(self, instance: Model, new: bool, row: dict[str, str], **kwargs: Any) -> None:  # noqa: FBT001  the library's signature
        """Refuse a new row of somebody who may only change those that are there. Raises ValidationError."""
        opts = instance._meta  # noqa: SLF001  Django's documented way to the model
        if new and not kwargs["user"].has_perm(f"{opts.app_label}.add_{opts.model_name}"):
            raise ValidationError({self.key_column: f"It is not known, and you may not add a {opts.verbose_name}."})
        self.before = {name: getattr(instance, name) for name in self.written}

    def validate_instance(
        self,
        instance: Any,
        import_validation_errors: Any = None,
        validate_unique: bool = True,  # noqa: FBT001, FBT002  the library's signature
    ) -> None:
        """Refuse what the model or its constraints refuse, by the column's name. Raises ValidationError."""
        errors = dict(import_validation_errors or {})
        is_new = instance.pk is None
        changed = self.written if is_new else self._edited(instance)
        fields = instance._meta.fields  # noqa: SLF001  Django's documented way to the columns
        # What a foreign key leads to was looked up; Django would do so once more for each row.
        sure = {field.name for field in fields if field.is_relation or not (is_new or field.name in changed)}
        try:
            instance.full_clean(exclude={*sure, *errors}, validate_unique=is_new, validate_constraints=False)
        except ValidationError as error:
            errors = error.update_error_dict(errors)
        errors = self.constraints.refusals(instance, changed - errors.keys()) | errors
        if errors:
            names = {field.attribute: field.column_name for field in self.get_import_fields()}
            raise ValidationError({names.get(name, name): told for name, told in errors.items()})

    def save_instance(self, instance: Model, is_create: bool, row: dict[str, str], **kwargs: Any) -> None:  # noqa: FBT001  the library's signature
        if is_create:
            self.new.append(instance)
        else:
            self.changed.append(instance)
            self.edited |= self._edited(instance)

    def after_import_row(self, row: dict[str, str], row_result: RowResult, **kwargs: Any) -> None:
        row_result.line = kwargs["row_number"] + 1
        row_result.key = (row["tenant"], row[self.key_column])
        row_result.changes = list(self._changes(row_result))

    def after_import(self, dataset: tablib.Dataset, result: Result, *, dry_run: bool = True, **kwargs: Any) -> None:
        """Write all that is new or changed at once, with its history, if nothing is wrong."""
        if not (dry_run or result.has_errors() or result.has_validation_errors()):
            create_many(self._meta.model, self.new)
            update_many(self._meta.model, self.changed, sorted(self.edited))

    def _writable(self, headers: Collection[str]) -> frozenset[str]:
        """Return the fields of a row that is there which a file with these columns can change."""
        keys = {"tenant", self.key_column}
        fields = (field for field in self.get_import_fields() if not field.readonly and field.column_name in headers)
        return frozenset(field.attribute for field in fields) - keys

    def _edited(self, instance: Model) -> set[str]:
        return {name for name in self.written if getattr(instance, name) != self.before[name]}

    def _changes(self, row_result: RowResult) -> Iterator[tuple[str, str, str]]:
        for field in self.get_import_fields():
            old = field.export(row_result.original) if row_result.original is not None else ""
            new = field.export(row_result.instance) if row_result.instance is not None else ""
            if old != new and field.column_name not in {"tenant", self.key_column}:
                yield field.column_name, old, new

    def get_queryset(self) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset()
        related = {f.attribute for f in self.fields.values() if isinstance(f.widget, OfTenantWidget | TenantWidget)}
        return rows.select_related(*related)
