"""What a question of /analytics is about: the spans or traces of a time range that match, each once or once a group."""

from dataclasses import dataclass
from typing import Final

from analytics.queries.conditions import Conditions
from analytics.queries.filters import (
    SpanFilter,
    TimedFilter,
    facet_conditions,
    range_conditions,
    span_conditions,
    trace_conditions,
)
from analytics.queries.summary_rows import live_traces

# By what one may group: a column that `spans` and `span_facets` have, or the array of what the GPUs of a row of
# `span_facets` have. What operators set of its node counts, then what the span says, then what the registry knows.
_OF_SPAN: Final = ("service_name", "model_name", "environment", "name")
_OF_GPUS: Final = {
    "resource_uuid": "resource_uuids",
    "node_id": """arrayMap(
        (sent, resource) -> multiIf(
            dictGet({registry:String}, 'set_node_id', ({tenant:String}, resource)) AS set_node_id != '', set_node_id,
            sent != '', sent,
            dictGet({registry:String}, 'node_id', ({tenant:String}, resource))),
        node_ids, resource_uuids)""",
}
GROUPS: Final = (*_OF_SPAN, *_OF_GPUS)

_NUMBER: Final = "transform({name}, group_names, arrayEnumerate(group_names), 0)"


@dataclass(frozen=True)
class Population:
    """The spans that began in [start_ns, end_ns) and satisfy `span`; the traces that began then and have such a span.

    With `group_by`, one of GROUPS, a span is there once for each group that it is in, and a trace once for each that
    such a span of it is in; where that is none, not at all.
    """

    tenant: str
    start_ns: int
    end_ns: int
    span: SpanFilter
    group_by: str | None = None

    @property
    def parameters(self) -> dict[str, object]:
        """What the SQL of the other members binds."""
        return {"tenant": self.tenant, **self._range.parameters, **self._facets.parameters}

    @property
    def group_names(self) -> str:
        """The SQL of all groups' names, in their order; a group's number is the place of its name.

        The SQL of spans() and traces() refers to it as `group_names`: it has to stand in their query's WITH.
        """
        if self.group_by is None:
            return "['']"
        # Place 1 is nobody's: an empty name is no group, and transform() takes no empty array.
        return f"""
            arrayConcat([''], arrayFilter(name -> name != '', (
                SELECT arraySort(groupUniqArrayArray({self._groups_of_facet}))
                FROM span_facets
                WHERE {self._facets.where()})))"""

    def spans(self, columns: str, *, having: str = "true") -> str:
        """Return the SELECT of these columns of `spans`, and of group_number, which is 1 where nothing is grouped.

        `having` is one more condition on a row of `spans`.
        """
        matching = Conditions([*self._range.sql, having])
        if self.group_by in _OF_GPUS:
            return f"""
                SELECT * EXCEPT (facet, numbers), group_number
                FROM (SELECT {columns}, facet FROM spans WHERE {matching.where()}) AS rows
                INNER JOIN ({self._numbers_by("facet")}) AS facets USING facet
                ARRAY JOIN numbers AS group_number"""
        matching.extend(span_conditions(self.span, tenant=self.tenant))
        if self.group_by is None:
            return f"SELECT {columns}, 1 AS group_number FROM spans WHERE {matching.where()}"
        matching.add(f"{self.group_by} != ''")
        number = _NUMBER.format(name=self.group_by)
        return f"SELECT {columns}, {number} AS group_number FROM spans WHERE {matching.where()}"

    def traces(self, columns: str) -> str:
        """Return the SELECT of these columns of `trace_summaries`, and of group_number, as spans() does."""
        if self.group_by is None:
            wanted = TimedFilter(start_ns=self.start_ns, end_ns=self.end_ns, span=self.span)
            return live_traces(f"{columns}, 1 AS group_number", trace_conditions(wanted, tenant=self.tenant))
        asks_for_gpus = (self.span.resource_uuid, self.span.physical_uuid, self.span.node_id) != (None, None, None)
        if self.group_by in _OF_GPUS or asks_for_gpus:
            key, kind, kinds = "facet", "shape", "facet_shapes"
        else:  # of which there are far fewer
            key, kind, kinds = "operation", "flow", "operation_flows"
        return f"""
            SELECT * EXCEPT ({kind}, numbers), group_number
            FROM ({live_traces(f"{columns}, {kind}", self._range)}) AS rows
            INNER JOIN
            (
                SELECT {kind}, groupUniqArrayArray(numbers) AS numbers
                FROM (SELECT {key}, {kind} FROM {kinds} WHERE tenant = {{tenant:String}}) AS {kinds}
                INNER JOIN ({self._numbers_by(key)}) AS facets USING {key}
                GROUP BY {kind}
            ) AS {kind}s USING {kind}
            ARRAY JOIN numbers AS group_number"""

    def named_facets(self, column: str) -> str:
        """Return the SELECT of each matching facet and, as `name`, its `column`; where that is empty, not at all."""
        return f"""
            SELECT facet, any({column}) AS name
            FROM span_facets
            WHERE {self._facets.where()} AND {column} != ''
            GROUP BY facet"""

    @property
    def _range(self) -> Conditions:
        return range_conditions(self.start_ns, self.end_ns)

    @property
    def _facets(self) -> Conditions:
        return facet_conditions(self.span)

    @property
    def _groups_of_facet(self) -> str:
        return _OF_GPUS.get(self.group_by or "", f"[toString({self.group_by})]")

    def _numbers_by(self, key: str) -> str:
        """Return the SELECT of each matching facet or operation and the numbers of its groups."""
        # A facet that came again has several rows until they are merged. And numbers that are not made within an
        # aggregate function are made after the joins that this is for, for each span anew.
        number = _NUMBER.format(name="name")
        return f"""
            SELECT
                {key},
                any(arrayFilter(
                    number -> number > 1,
                    arrayDistinct(arrayMap(name -> {number}, CAST({self._groups_of_facet}, 'Array(String)')))))
                    AS numbers
            FROM span_facets
            WHERE {self._facets.where()}
            GROUP BY {key}"""
