"""GPUs: which there are, and how they were used over time."""

from tests.oracle import gpu_questions
from tests.oracle.conftest import Examine


def test_gpus_and_their_series_tell_what_was_measured(examine: Examine) -> None:
    examine(gpu_questions.list_gpus, gpu_questions.list_gpu_metrics, gpu_questions.list_card_metrics)
