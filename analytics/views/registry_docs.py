"""The registry's endpoints in the OpenAPI document, each with an example of what goes in and what comes out."""

from typing import Any, Final

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema, extend_schema_view

from analytics.registry_base import RegistrySerializer
from analytics.registry_serializers import MAX_OBJECTS, BulkSerializer
from analytics.serializers import PageSerializer
from analytics.views.examples import page_answer
from axonize.api import BODY_ERRORS, ERROR, READ_ERRORS

_LOCATION: Final = OpenApiParameter(
    "Location", str, OpenApiParameter.HEADER, description="The address of what was created.", response=[201]
)
_ETAG: Final = OpenApiParameter(
    "ETag",
    str,
    OpenApiParameter.HEADER,
    description="What it is now, but for when it was seen: for If-Match.",
    response=[200, 201],
)
_IF_MATCH: Final = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description="The ETag of what was read: a 412 where somebody changed it since. Without it, whatever is there is "
    "changed.",
)


def documented(
    *,
    names: tuple[str, str],
    serializer: type[RegistrySerializer],
    page: type[PageSerializer],
    parameters: list[Any],
    example: dict[str, Any],
    change: dict[str, Any],
    deletes: str,
) -> Any:
    """Return the decorator that documents a RegistryViews.

    `names` are of one and of many, as in operation ids; `example` is an answer, and without what can only be read a
    body; `change` is a body of PATCH; `deletes` says what a deletion does.
    """
    one, many = names
    noun = one.replace("_", " ").replace("gpu", "GPU")
    fields = serializer().fields
    body = {name: value for name, value in example.items() if not fields[name].read_only}
    name = serializer.key
    word = {"uuid": "UUID", "node_id": "name"}.get(name, name)
    key = OpenApiParameter(name, str, OpenApiParameter.PATH, description=f"The {word} of a {noun}.")

    def shown(value: dict[str, Any], code: int) -> OpenApiExample:
        return OpenApiExample(f"A {noun}", value=value, response_only=True, status_codes=[code])

    def sent(value: dict[str, Any]) -> OpenApiExample:
        return OpenApiExample(f"A {noun}, as sent", value=value, request_only=True)

    def operation(verb: str, description: str, **more: Any) -> Any:
        return extend_schema(operation_id=f"{verb}_{one}", tags=["registry"], description=description, **more)

    many_at_once = extend_schema(
        operation_id=f"write_{many}",
        tags=["registry"],
        description=f"Register many {noun}s, or change the fields that are named of those that are there: all of them, "
        f"or none. At most {MAX_OBJECTS:,}. Errors name the place in the list, from 0, and the field: `3.labels`.",
        request=serializer(many=True),
        responses={200: BulkSerializer, **BODY_ERRORS},
        examples=[
            OpenApiExample(f"A list of one {noun}", value=body, request_only=True),  # the library makes the list
            OpenApiExample(
                "It was there",
                value={"created": 0, "updated": 1, "unchanged": 0},
                response_only=True,
                status_codes=[200],
            ),
        ],
    )
    return extend_schema_view(
        **({} if name == "id" else {"bulk": many_at_once}),
        list=extend_schema(
            operation_id=f"list_{many}",
            tags=["registry"],
            description=f"List the {noun}s of the tenant.",
            parameters=parameters,
            responses={200: page, **READ_ERRORS},
            examples=[shown(page_answer(**{many: [example]}), 200)],
        ),
        create=operation(
            "create",
            f"Register a {noun}. What the body leaves out is blank. One that is there already is a 400.",
            parameters=[_LOCATION, _ETAG],
            responses={201: serializer, **BODY_ERRORS},
            examples=[sent(body), shown(example, 201)],
        ),
        retrieve=operation(
            "get",
            f"Show a {noun}.",
            parameters=[key, _ETAG],
            responses={200: serializer, **READ_ERRORS},
            examples=[shown(example, 200)],
        ),
        update=operation(
            "replace",
            f"Replace a {noun}. What the body leaves out is blank then.",
            parameters=[key, _IF_MATCH, _ETAG],
            responses={200: serializer, 412: ERROR, **BODY_ERRORS},
            examples=[sent(body), shown(example, 200)],
        ),
        partial_update=operation(
            "change",
            f"Change the fields of a {noun} that the body names.",
            parameters=[key, _IF_MATCH, _ETAG],
            responses={200: serializer, 412: ERROR, **BODY_ERRORS},
            examples=[sent(change), shown(example, 200)],
        ),
        destroy=operation(
            "delete", deletes, parameters=[key, _IF_MATCH], responses={204: None, 412: ERROR, 503: ERROR}
        ),
    )
