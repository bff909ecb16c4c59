"""django-prometheus's figures of web requests, with a bounded number of labels."""

from typing import Any

from django.http import HttpRequest
from django_prometheus.middleware import PrometheusAfterMiddleware as After


class PrometheusAfterMiddleware(After):  # type: ignore[misc]  # the same
    """Labels what HTTP does not define as one method: clients make up as many as they like."""

    def label_metric(self, metric: Any, request: HttpRequest, response: Any = None, **labels: Any) -> Any:
        if "method" in labels:
            labels["method"] = self._method(request)
        return super().label_metric(metric, request, response, **labels)
