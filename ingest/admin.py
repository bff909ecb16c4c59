"""Dead letters in the Django admin: found, read, replayed, deleted; nobody edits one."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import pluralize
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import AllValuesCheckboxFilter, FieldTextFilter, RangeDateTimeFilter

from ingest import dead_letters
from ingest.models import DeadLetter
from ingest.replay import replay

SHOWN_MAX_CHARACTERS = 200_000
REFUSALS_SHOWN = 5


@admin.register(DeadLetter)
class DeadLetterAdmin(ModelAdmin):
    list_display = ("id", "failed_at", "tenant", "spans", "size_bytes", "error", "reason")
    list_filter = (("error", AllValuesCheckboxFilter), ("tenant", FieldTextFilter), ("failed_at", RangeDateTimeFilter))
    search_fields = ("reason", "batch_id", "tenant")
    search_help_text = "reason, id of the batch, tenant"
    ordering = ("-failed_at", "-pk")
    show_full_result_count = False
    list_fullwidth = True
    list_filter_submit = True
    actions = ("replay",)
    fields = (("failed_at", "tenant", "batch_id", "number"), "error", "reason", ("spans", "size_bytes"), "content")
    readonly_fields = ("content",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeadLetter]:
        letters: QuerySet[DeadLetter] = super().get_queryset(request)
        return letters.defer("body")  # a list shows none, and one may be large

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="spans, or bytes that can't be decoded")
    def content(self, letter: DeadLetter) -> SafeString:
        text = dead_letters.decoded(letter)
        cut = "" if len(text) <= SHOWN_MAX_CHARACTERS else f"\n… manage.py dead_letters show {letter.pk} has all of it"
        return format_html("<pre>{}{}</pre>", text[:SHOWN_MAX_CHARACTERS], cut)

    @admin.action(description="Replay selected dead letters", permissions=["delete"])
    def replay(self, request: HttpRequest, letters: QuerySet[DeadLetter]) -> None:
        outcomes = list(replay(list(letters.order_by("pk").values_list("pk", flat=True))))
        refusals = [outcome for outcome in outcomes if outcome.refusal]
        taken = len(outcomes) - len(refusals)
        self.message_user(request, f"{taken} dead letter{pluralize(taken)} taken by the queue.")
        for outcome in refusals[:REFUSALS_SHOWN]:
            self.message_user(request, f"{outcome.letter_id} stays: {outcome.refusal}", messages.WARNING)
        if len(refusals) > REFUSALS_SHOWN:
            self.message_user(request, f"{len(refusals) - REFUSALS_SHOWN} more stay.", messages.WARNING)
