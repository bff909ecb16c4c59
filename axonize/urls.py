"""Every address of the web process."""

from csp.constants import UNSAFE_INLINE
from csp.decorators import csp_update
from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path, re_path
from django.utils.functional import lazy
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from axonize import api
from axonize.health.views import healthz, readyz
from axonize.metrics.view import metrics

handler400 = api.bad_request
handler403 = api.permission_denied
handler404 = api.not_found
handler500 = api.server_error

# Swagger UI sets sizes and colours in style attributes, and its page has a style element. The script is a file.
docs = csp_update({"style-src": [UNSAFE_INLINE]})(SpectacularSwaggerSplitView.as_view(url_name="schema"))

urlpatterns = [
    path("", include("analytics.pages.urls")),
    # lazily: the commands that come before `collectstatic` load the addresses too
    path("favicon.ico", RedirectView.as_view(url=lazy(static, str)("axonize/icon.svg"))),
    path("healthz", healthz),
    path("readyz", readyz, name="readiness"),
    path("metrics", metrics),
    path("admin/", admin.site.urls),
    path("api/schema", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs", docs, name="docs"),
    path("api/v1/", include("analytics.urls")),
    re_path(r"^api(?:/|$)", api.unknown_address),
]
