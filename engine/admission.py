"""What a search is among: the shopper's filters, those understood of the words, what is hidden."""

from __future__ import annotations

import msgspec

from .errors import InvalidRequest
from .facets import AUTO
from .filters import Filter, conditions_of, parse_filters, require_field
from .localize import Audience
from .markets import read_filters
from .plan import QueryPlan
from .schema import FieldKind, IndexSchema
from .types import SearchRequest


def checked_filter(request: SearchRequest, schema: IndexSchema) -> Filter:
    """The request's own filter; what is not declared is refused before anything is spent."""
    filter = parse_filters(request.filters, schema)
    for name in request.facets:
        if name != AUTO:
            require_field(name, schema, use="facets")
    name = request.group_by
    if name and require_field(name, schema, use="group_by") is not FieldKind.KEYWORD:
        raise InvalidRequest(
            f"group_by: {name!r} is no keyword field; families have a name in common",
            field="group_by",
        )
    if request.sort is not None:
        require_field(request.sort.field, schema, use="sort")
    return filter


def whole_filter(
    own: Filter, request: SearchRequest, plan: QueryPlan, audience: Audience
) -> Filter:
    """The plan's filters and the request's, by the stored fields that the shopper means; for the
    same field the request's win. What is hidden stays hidden whatever is asked for."""
    place, schema = audience.place, audience.schema
    rest = {name: spec for name, spec in plan.filters.items() if name not in request.filters}
    rest, said = read_filters(rest, place, schema)
    read = said.filter(parse_filters(rest, schema))
    hidden = list(plan.hidden())
    like = request.query.like if request.query else ()
    asked = Filter(
        own.conditions,
        exclude_ids=like + tuple(id for selection in hidden for id in selection.ids),
        exclude=tuple(conditions_of(s.filters) for s in hidden if s.filters),
    )
    asked = place.filter(asked)
    return msgspec.structs.replace(asked, conditions=read.conditions + asked.conditions)
