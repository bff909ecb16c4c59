"""The Celery application: one queue for batches, one schedule for what has to recur."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "axonize.settings")

app = Celery("axonize")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["worker"].add("axonize.health.worker:Health")
