"""Analytics: numbers and series over a range of time."""

from tests.oracle import analytics_questions
from tests.oracle.conftest import Examine


def test_series_sum_up_what_was_sent(examine: Examine) -> None:
    examine(analytics_questions.get_overview, analytics_questions.get_latency, analytics_questions.get_throughput)


def test_services_models_and_gpus_did_what_was_sent(examine: Examine) -> None:
    examine(analytics_questions.get_services, analytics_questions.get_models, analytics_questions.get_gpus)
