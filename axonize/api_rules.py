"""How the REST API is served and described: the settings of Django REST framework, its errors and drf-spectacular."""

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "registry.authentication.KeyAuthentication",
        "registry.authentication.StaffAuthentication",
        "registry.authentication.LocalAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["registry.permissions.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["registry.throttling.KeyThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["axonize.json_bodies.JSONBodyRenderer"],
    "DEFAULT_PARSER_CLASSES": ["axonize.json_bodies.JSONBodyParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_standardized_errors.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "drf_standardized_errors.handler.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,  # `format` is no parameter of ours
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
DRF_STANDARDIZED_ERRORS = {
    "ENABLE_IN_DEBUG_FOR_UNHANDLED_EXCEPTIONS": True,
    "EXCEPTION_HANDLER_CLASS": "axonize.api.ExceptionHandler",
    "ALLOWED_ERROR_STATUS_CODES": ["400", "401", "403", "404", "405", "406", "429", "500"],
    "ERROR_SCHEMAS": dict.fromkeys(["400", "401", "403", "404", "405", "406", "429", "500"], "axonize.api.ERROR"),
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Axonize",
    "DESCRIPTION": "Traces, spans, GPUs and costs of AI inference.",
    "VERSION": "v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    # Not that programs on this machine need none.
    "AUTHENTICATION_WHITELIST": [
        "registry.authentication.KeyAuthentication",
        "registry.authentication.StaffAuthentication",
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "/static/axonize/icon.svg",  # below STATIC_URL
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "POSTPROCESSING_HOOKS": ["axonize.openapi.complete"],  # not the one that names enums: ours stay where they are used
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
}
