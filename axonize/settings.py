"""The one settings module; every value that differs between places comes from the environment."""

from pathlib import Path
from urllib.parse import quote

from environs import validate

from axonize import stores
from axonize.admin_look import UNFOLD
from axonize.api_rules import DRF_STANDARDIZED_ERRORS, REST_FRAMEWORK, SPECTACULAR_SETTINGS
from axonize.content_policy import CONTENT_SECURITY_POLICY
from axonize.environment import (
    ADDRESS,
    CLUSTER,
    DAYS,
    DIRECTORY,
    HOSTS,
    LOG_FORMATS,
    LOG_LEVEL,
    ORIGINS,
    PEM_FILE,
    PORT,
    POSITIVE,
    Environment,
)
from axonize.exposure import is_loopback
from axonize.health.heartbeat import DEFAULT_DIR as HEALTH_DEFAULT_DIR
from axonize.log_settings import log_config, log_format
from axonize.schedule import CELERY_BEAT_SCHEDULE

__all__ = [
    "CELERY_BEAT_SCHEDULE",
    "CONTENT_SECURITY_POLICY",
    "DRF_STANDARDIZED_ERRORS",
    "REST_FRAMEWORK",
    "SPECTACULAR_SETTINGS",
    "UNFOLD",
]

BASE_DIR = Path(__file__).resolve().parent.parent

env = Environment()

# Where things are. The defaults are the embedded engines that `manage.py up` starts: Redis and PostgreSQL on
# sockets in the data directory, ClickHouse on a loopback port.
DATA_DIR = Path(
    env.str("AXONIZE_DATA_DIR", str(BASE_DIR / ".axonize"), validate=DIRECTORY, shown="`.axonize`")
).resolve()
SOCKET_DIR = DATA_DIR / "run"
HEALTH_DIR = Path(
    env.str("AXONIZE_HEALTH_DIR", str(HEALTH_DEFAULT_DIR), validate=DIRECTORY, shown="`health` in `AXONIZE_DATA_DIR`")
)
BIND = env.str("AXONIZE_BIND", "127.0.0.1", validate=ADDRESS)
OTLP_GRPC_PORT = env.int("AXONIZE_OTLP_GRPC_PORT", 4317, validate=PORT)
OTLP_HTTP_PORT = env.int("AXONIZE_OTLP_HTTP_PORT", 4318, validate=PORT)
# On these two ports; how many batches ClickHouse remembers reckons with four (ingest.deduplication)
RECEIVER_PROCESSES = env.int("AXONIZE_RECEIVER_PROCESSES", 1, validate=validate.Range(min=1, max=4))
WEB_PORT = env.int("AXONIZE_WEB_PORT", 8000, validate=PORT)
CLICKHOUSE_PORT = env.int("AXONIZE_CLICKHOUSE_PORT", 8123, validate=PORT)

_sockets = quote(str(SOCKET_DIR))
DATABASE_URL = stores.store_url(env, stores.POSTGRESQL, embedded=f"postgresql://postgres@/axonize?host={_sockets}")
REDIS_URL = stores.store_url(env, stores.REDIS, embedded=f"unix://{_sockets}/redis.sock?db=0")
CLICKHOUSE_URL = stores.store_url(env, stores.CLICKHOUSE, embedded=f"http://127.0.0.1:{CLICKHOUSE_PORT}/axonize")
CLICKHOUSE_CLUSTER = env.str("CLICKHOUSE_CLUSTER", "", validate=CLUSTER)

# Security
DEBUG = env.bool("DEBUG", False)
DEFAULT_EXCEPTION_REPORTER_FILTER = "axonize.debug_pages.PasswordFilter"
# A proxy in front of the web process says in X-Forwarded-Proto how it was asked. Without one, a client could say it.
TRUST_PROXY = env.bool("AXONIZE_TRUST_PROXY", False)
# Whoever connects from another machine needs a key anyway; this asks for one on this machine too.
REQUIRE_API_KEY = env.bool(
    "AXONIZE_REQUIRE_API_KEY",
    TRUST_PROXY or not is_loopback(BIND),
    shown="`true` where `AXONIZE_BIND` is not loopback or a proxy is trusted, else `false`",
)
# The default begins with the mark by which Django's check knows a key that protects nothing.
SECRET_KEY = env.secret(
    "SECRET_KEY",
    "django-insecure-development-key-set-SECRET_KEY-in-the-environment",
    shown="one that protects nothing; `make run` makes its own",
)
ALLOWED_HOSTS = env.list(
    "ALLOWED_HOSTS",
    ["localhost", "127.0.0.1", "[::1]", BIND],
    validate=HOSTS,
    shown="`localhost,127.0.0.1,[::1]` and `AXONIZE_BIND`",
)
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", [], validate=ORIGINS)
CORS_ALLOWED_ORIGINS = env.list("AXONIZE_CORS_ORIGINS", [], validate=ORIGINS)
CORS_URLS_REGEX = r"^/api/"

TLS_CERT_FILE = env.str("AXONIZE_TLS_CERT_FILE", "", validate=PEM_FILE)
TLS_KEY_FILE = env.str("AXONIZE_TLS_KEY_FILE", "", validate=PEM_FILE)
TLS_CLIENT_CA_FILE = env.str("AXONIZE_TLS_CLIENT_CA_FILE", "", validate=PEM_FILE)
# Whether browsers reach the web process by https, from its own certificate or from a proxy's
HTTPS = env.bool(
    "AXONIZE_HTTPS", bool(TLS_CERT_FILE), shown="`true` where `AXONIZE_TLS_CERT_FILE` is set, else `false`"
)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0  # a year, which is what browsers' preload lists ask for
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]  # probes inside a container come by http
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUST_PROXY else None
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"

# The largest body of a request to the web process, and the fields of a form: the admin's longest page needs some 400
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000
# Files: one a request, for the admin's imports alone, held in memory. 8 MiB of CSV are some 40,000 cards.
DATA_UPLOAD_MAX_NUMBER_FILES = 1
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]
FILE_UPLOAD_MAX_MEMORY_SIZE = 8 * 1024 * 1024

# Whose data it is when nobody says otherwise
DEFAULT_TENANT = "default"

# Limits, each one a promise of bounded memory
OTLP_MAX_REQUEST_BYTES = env.int("AXONIZE_OTLP_MAX_REQUEST_BYTES", 16 * 1024 * 1024, validate=POSITIVE)
QUEUE_MAX_BYTES = env.int("AXONIZE_QUEUE_MAX_BYTES", 512 * 1024 * 1024, validate=POSITIVE)
BATCH_MAX_SPANS = env.int("AXONIZE_BATCH_MAX_SPANS", 50_000, validate=POSITIVE)
BATCH_MAX_BYTES = env.int("AXONIZE_BATCH_MAX_BYTES", 64 * 1024 * 1024, validate=POSITIVE)
BATCH_MAX_AGE_MS = env.int("AXONIZE_BATCH_MAX_AGE_MS", 800, validate=POSITIVE)
# Of each API key that has no limit of its own; 0 is none
SPANS_PER_SECOND = env.int("AXONIZE_SPANS_PER_SECOND", 0, validate=validate.Range(min=0))
# Days that spans and traces, GPUs' readings, and GPUs' time and cost are kept (axonize.clickhouse.retention)
RETENTION_DAYS = env.int("AXONIZE_RETENTION_DAYS", 30, validate=DAYS)
AS_SPANS = "as `AXONIZE_RETENTION_DAYS`"
GPU_METRICS_RETENTION_DAYS = env.int(
    "AXONIZE_GPU_METRICS_RETENTION_DAYS", RETENTION_DAYS, validate=DAYS, shown=AS_SPANS
)
GPU_TIME_RETENTION_DAYS = env.int("AXONIZE_GPU_TIME_RETENTION_DAYS", RETENTION_DAYS, validate=DAYS, shown=AS_SPANS)
DEAD_LETTER_RETENTION_DAYS = env.int("AXONIZE_DEAD_LETTER_RETENTION_DAYS", 30, validate=DAYS)
# Of the REST API, for each API key that has no limit of its own; 0 is none
REQUESTS_PER_MINUTE = env.int("AXONIZE_REQUESTS_PER_MINUTE", 1200, validate=validate.Range(min=0))
QUERY_MAX_SECONDS = env.int("AXONIZE_QUERY_MAX_SECONDS", 20, validate=POSITIVE)
QUERY_MAX_BYTES = env.int("AXONIZE_QUERY_MAX_BYTES", 2 * 1024 * 1024 * 1024, validate=POSITIVE)
QUERY_MAX_RESULT_ROWS = env.int("AXONIZE_QUERY_MAX_RESULT_ROWS", 200_000, validate=POSITIVE)
CLICKHOUSE_POOL_SIZE = env.int("AXONIZE_CLICKHOUSE_POOL_SIZE", 16, validate=POSITIVE)
DATABASE_POOL_SIZE = env.int("AXONIZE_DATABASE_POOL_SIZE", 10, validate=POSITIVE)

# A holder of a GPU of whom no span came for so long has left it, as far as is known; the next span says otherwise
CONTEXT_SILENCE_SECONDS = env.int("AXONIZE_CONTEXT_SILENCE_SECONDS", 900, validate=POSITIVE)
# What a slice's share of its card's price follows from
COST_SHARE = env.str("AXONIZE_COST_SHARE", "memory", validate=validate.OneOf(("memory", "sm", "equal")))

INSTALLED_APPS = [
    "axonize",
    "ingest",
    "registry",
    "analytics",
    # The admin's look; its templates come before those that they take the place of.
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.import_export",
    "unfold.contrib.simple_history",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "corsheaders",
    "django_filters",
    "django_htmx",
    "django_prometheus",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "drf_standardized_errors",
    "import_export",
    "rest_framework",
    "rest_framework_api_key",
    "simple_history",
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "axonize.logging.RequestLogMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "axonize.headers.AdminPolicyMiddleware",
    "axonize.headers.PermissionsPolicyMiddleware",
    "axonize.bodies.BodySizeMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "axonize.compression.CompressionMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axonize.metrics.middleware.PrometheusAfterMiddleware",
]

# Seconds, of each view's histogram: each bound is a series for each view
PROMETHEUS_LATENCY_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)

ROOT_URLCONF = "axonize.urls"
WSGI_APPLICATION = "axonize.wsgi.application"
APPEND_SLASH = True
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {
    "default": stores.database(DATABASE_URL, pool_size=DATABASE_POOL_SIZE, statement_seconds=QUERY_MAX_SECONDS)
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},
    }
}

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = ["axonize.formats"]

STATIC_URL = "static/"
# Where `collectstatic` put the files; without it they are served from where they are, with no such step.
STATIC_ROOT = env.str("AXONIZE_STATIC_ROOT", "", validate=DIRECTORY) or None
WHITENOISE_USE_FINDERS = STATIC_ROOT is None
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "axonize.static_files.CollectedFiles"
        if STATIC_ROOT
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # Redis may be away for long; what it holds waits
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 600}
CELERY_BEAT_SCHEDULER = "axonize.health.beat:Scheduler"

LOG_FORMAT = log_format(env.str("AXONIZE_LOG_FORMAT", "auto", validate=LOG_FORMATS))
LOGGING = log_config(LOG_FORMAT, env.str("AXONIZE_LOG_LEVEL", "INFO", validate=LOG_LEVEL))
