"""The periodic task."""

import pytest

from axonize.celery import app
from registry.models import ComputeResource
from registry.tasks import sync_registry
from tests.registry.conftest import SLICE, See


def test_beat_runs_the_task_under_its_name() -> None:
    app.loader.import_default_modules()
    entry = app.conf.beat_schedule["sync-registry"]
    assert entry["task"] == sync_registry.name
    assert sync_registry.name in app.tasks
    assert entry["schedule"] <= 2  # a new GPU is to be in PostgreSQL within 5 s


@pytest.mark.django_db
def test_the_task_synchronises(see: See) -> None:
    see(resource_uuid=SLICE)
    sync_registry()
    assert ComputeResource.objects.get().uuid == SLICE


@pytest.mark.django_db
@pytest.mark.usefixtures("queue", "clickhouse_away")
def test_a_clickhouse_that_is_away_is_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    sync_registry()
    (record,) = [record for record in caplog.records if record.name == "registry.tasks"]
    assert (record.levelname, record.exc_info) == ("WARNING", None)
    assert "tries again" in record.message
