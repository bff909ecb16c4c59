"""The files of pages and admin as `collectstatic` writes them: named by their content, and compressed."""

from django.contrib.staticfiles.storage import HashedFilesMixin
from whitenoise.storage import CompressedManifestStaticFilesStorage


class CollectedFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # it ships no types
    """A browser may keep each file for ever, for another content has another name.

    The pages' ES modules import each other by those names too. Only theirs are rewritten: Django's own switch for it
    takes a comment in one of htmx's extensions for an import, of a file that is not there.
    """

    _, _imports = HashedFilesMixin._js_module_import_aggregation_patterns  # type: ignore[attr-defined]  # noqa: SLF001  written nowhere else
    patterns = (*CompressedManifestStaticFilesStorage.patterns, ("pages/*.js", _imports))
