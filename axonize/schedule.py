"""What beat sets going, and how often, in seconds. What no worker took by the next time is dropped."""

CELERY_BEAT_SCHEDULE = {
    "rescue-batches": {
        "task": "ingest.tasks.rescue_batches",
        "schedule": 5.0,
        "options": {"expires": 5.0},
    },
    "summarize-traces": {
        "task": "ingest.tasks.summarize_traces",
        "schedule": 1.0,
        "options": {"expires": 1.0},
    },
    "share-out-gpu-time": {
        "task": "ingest.tasks.share_out_gpu_time",
        "schedule": 5.0,
        "options": {"expires": 5.0},
    },
    "apply-retention": {
        "task": "ingest.tasks.apply_retention",
        "schedule": 300.0,
        "options": {"expires": 300.0},
    },
    "sync-registry": {
        "task": "registry.tasks.sync_registry",
        "schedule": 2.0,
        "options": {"expires": 2.0},
    },
}
