"""Import with a preview, and export, of a list in the admin."""

from typing import Any, Final

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from import_export.admin import ImportExportMixin
from import_export.results import Result
from import_export.tmp_storages import CacheStorage
from unfold.contrib.import_export.forms import ImportForm

from registry.exchange.csv_format import SafeCSV

_SHOWN: Final = 200


class KeptForAnHour(CacheStorage):
    """The uploaded file between preview and confirmation, where every web process finds it."""

    CACHE_LIFETIME = 3600


class ExchangeMixin(ImportExportMixin):
    """What staff who may change a list may also do with a file; who may see it may take it along."""

    import_form_class = ImportForm
    formats = (SafeCSV,)
    skip_export_form = True
    to_encoding = "utf-8"
    tmp_storage_class = KeptForAnHour
    export_related: tuple[str, ...] = ("tenant",)

    def has_import_permission(self, request: HttpRequest) -> bool:
        return bool(self.has_change_permission(request))

    def has_export_permission(self, request: HttpRequest) -> bool:
        return bool(self.has_view_permission(request))

    def get_import_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_import_context_data(**kwargs), "most_shown": _SHOWN, "key_name": self.key_fields[1]}

    def get_import_data_kwargs(self, **kwargs: Any) -> dict[str, Any]:
        """All or nothing, also where the registry changed after the preview."""
        return {**super().get_import_data_kwargs(**kwargs), "rollback_on_validation_errors": True}

    def process_import(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        name = request.POST.get("import_file_name", "")
        if self.has_import_permission(request) and KeptForAnHour(name=name).read() is None:
            messages.error(request, "The preview is more than an hour old. Choose the file again.")
            return HttpResponseRedirect(self._address("import"))
        answer: HttpResponseBase = super().process_import(request, **kwargs)
        return answer

    def process_dataset(self, *args: Any, **kwargs: Any) -> Result:
        return super().process_dataset(*args, **kwargs, is_for_good=True)

    def process_result(self, result: Result, request: HttpRequest) -> HttpResponseBase:
        if result.has_errors() or result.has_validation_errors():
            messages.error(request, "The registry has changed since the preview: nothing was written. Try again.")
            return HttpResponseRedirect(self._address("import"))
        answer: HttpResponseBase = super().process_result(result, request)
        return answer

    def add_success_message(self, result: Result, request: HttpRequest) -> None:
        unchanged = result.totals["skip"]
        told = f"{result.totals['new']:,} added, {result.totals['update']:,} changed, {unchanged:,} as they were."
        messages.success(request, told)

    def get_export_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_export_queryset(request)
        return rows.select_related(*self.export_related)

    def _address(self, name: str) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{name}")
