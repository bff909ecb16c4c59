"""Two who change the registry at the same time, each in a transaction of its own."""

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import Client

from registry.models import ComputeResource, PhysicalGPU, Tenant
from tests.analytics.conftest import Get, wrong
from tests.analytics.registry.records import CARD, CARDS, RESOURCES, SHOWN_CARD, SLICE, T1
from tests.processes import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("queue")]


class Racer:
    """Sends requests from another thread, whose transactions are its own."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.pool = pool

    def start(self, method: str, address: str, body: dict[str, Any]) -> Future[HttpResponse]:
        def send() -> HttpResponse:
            try:
                answer: HttpResponse = getattr(Client(), method)(
                    f"/api/v1{address}", body, content_type="application/json"
                )
                return answer
            finally:
                connection.close()

        return self.pool.submit(send)

    def start_and_block(self, method: str, address: str, body: dict[str, Any]) -> Future[HttpResponse]:
        """Start one that has to wait for this thread's transaction, and return once it does."""
        racing = self.start(method, address, body)
        wait_until(lambda: racing.done() or is_somebody_waiting())
        assert not racing.done(), racing.result().content
        return racing


def is_somebody_waiting() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return bool(cursor.fetchone()[0])


@pytest.fixture
def racer(transactional_db: None) -> Iterator[Racer]:
    del transactional_db
    with ThreadPoolExecutor(8) as pool:
        yield Racer(pool)


def test_of_many_who_create_the_same_at_once_one_does(racer: Racer) -> None:
    racing = [racer.start("post", CARDS, CARD) for _ in range(8)]
    answers = [each.result(30) for each in racing]
    assert sorted(answer.status_code for answer in answers) == [201] + [400] * 7
    for answer in answers:
        if answer.status_code == 400:
            assert wrong(json.loads(answer.content)) == {"uuid"}
    assert PhysicalGPU.objects.count() == 1


def test_a_change_overwrites_nothing_that_was_written_meanwhile(racer: Racer, card: dict[str, Any], get: Get) -> None:
    del card
    with transaction.atomic():
        PhysicalGPU.objects.update(last_seen=T1, set_vendor="AMD")
        racing = racer.start_and_block("patch", f"{CARDS}/GPU-5f2c1a9e", {"model": "MI300X"})
    assert racing.result(30).status_code == 200
    assert get(f"{CARDS}/GPU-5f2c1a9e") == SHOWN_CARD | {"vendor": "AMD", "model": "MI300X", "last_seen": T1}


@pytest.mark.parametrize("method", ["patch", "delete"])
def test_what_was_deleted_meanwhile_is_a_404_and_does_not_come_back(
    racer: Racer, card: dict[str, Any], method: str
) -> None:
    del card
    with transaction.atomic():
        PhysicalGPU.objects.all().delete()
        racing = racer.start_and_block(method, f"{CARDS}/GPU-5f2c1a9e", {"model": "H200"})
    assert racing.result(30).status_code == 404
    assert PhysicalGPU.objects.count() == 0


def test_a_card_that_was_deleted_meanwhile_gets_no_slice(racer: Racer, card: dict[str, Any]) -> None:
    del card
    with transaction.atomic():
        PhysicalGPU.objects.all().delete()
        racing = racer.start_and_block("post", RESOURCES, SLICE)
    answer = racing.result(30)
    assert answer.status_code == 400
    assert "Try again" in json.loads(answer.content)["errors"][0]["detail"]
    assert ComputeResource.objects.count() == 0


def test_a_card_that_got_a_slice_meanwhile_is_not_deleted_from_under_it(racer: Racer, card: dict[str, Any]) -> None:
    del card
    with transaction.atomic():
        PhysicalGPU.objects.select_for_update().get()
        racing = racer.start_and_block("delete", f"{CARDS}/GPU-5f2c1a9e", {})
        ComputeResource.objects.create(
            tenant=Tenant.objects.get(), uuid="MIG-1", set_physical=PhysicalGPU.objects.get()
        )
    assert racing.result(30).status_code == 204
    assert ComputeResource.objects.get().physical is None
