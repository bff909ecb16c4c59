"""The registry's endpoints in the OpenAPI document, each with an example of what goes in and what comes out."""

from typing import Any, Final

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema, extend_schema_view

from analytics.registry_serializers import RegistrySerializer
from analytics.serializers import PageSerializer
from analytics.views.examples import page_answer
from axonize.api import BODY_ERRORS, ERROR, READ_ERRORS

_LOCATION: Final = OpenApiParameter(
    "Location", str, OpenApiParameter.HEADER, description="The address of what was created.", response=[201]
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
    name = "id" if "id" in fields else "uuid"
    key = OpenApiParameter(
        name, str, OpenApiParameter.PATH, description=f"The {name.replace('uuid', 'UUID')} of a {noun}."
    )

    def shown(value: dict[str, Any], code: int) -> OpenApiExample:
        return OpenApiExample(f"A {noun}", value=value, response_only=True, status_codes=[code])

    def sent(value: dict[str, Any]) -> OpenApiExample:
        return OpenApiExample(f"A {noun}, as sent", value=value, request_only=True)

    def operation(verb: str, description: str, **more: Any) -> Any:
        return extend_schema(operation_id=f"{verb}_{one}", tags=["registry"], description=description, **more)

    return extend_schema_view(
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
            parameters=[_LOCATION],
            responses={201: serializer, **BODY_ERRORS},
            examples=[sent(body), shown(example, 201)],
        ),
        retrieve=operation(
            "get",
            f"Show a {noun}.",
            parameters=[key],
            responses={200: serializer, **READ_ERRORS},
            examples=[shown(example, 200)],
        ),
        update=operation(
            "replace",
            f"Replace a {noun}. What the body leaves out is blank then.",
            parameters=[key],
            responses={200: serializer, **BODY_ERRORS},
            examples=[sent(body), shown(example, 200)],
        ),
        partial_update=operation(
            "change",
            f"Change the fields of a {noun} that the body names.",
            parameters=[key],
            responses={200: serializer, **BODY_ERRORS},
            examples=[sent(change), shown(example, 200)],
        ),
        destroy=operation("delete", deletes, parameters=[key], responses={204: None, 503: ERROR}),
    )
