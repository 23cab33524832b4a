"""What a search is among: the shopper's filters, those understood of the words, what is hidden."""

from __future__ import annotations

import msgspec

from .errors import InvalidRequest
from .facets import AUTO
from .filters import Filter, parse_filters, require_field
from .localize import Audience
from .markets import read_filters
from .plan import QueryPlan
from .protocols import VectorStore
from .relaxation import WITH_ANOTHER
from .schema import FieldKind, IndexSchema
from .types import SearchRequest


def checked_filter(request: SearchRequest, schema: IndexSchema) -> Filter:
    """The request's own filter; what is not declared is refused before anything is spent."""
    filter = parse_filters(request.filters, schema)
    for name in request.facets:
        if name != AUTO:
            require_field(name, schema, use="facets")
    family = request.group_by
    if family and require_field(family, schema, use="group_by") is not FieldKind.KEYWORD:
        raise InvalidRequest(
            f"group_by: {family!r} is no keyword field; families have a name in common",
            field="group_by",
        )
    if request.sort is not None:
        require_field(request.sort.field, schema, use="sort")
    return filter


def compared(
    plan: QueryPlan, request: SearchRequest, audience: Audience, store: VectorStore
) -> QueryPlan:
    """The plan with what is to be below the products to be like as filters, where these have it."""
    if not (plan.below and request.query and request.query.like):
        return plan
    filters = dict(plan.filters)
    for name in plan.below:
        stored = audience.place.field(name)
        column = store.columns(request.query.like, [stored])[stored]
        held = [value for value in column if isinstance(value, float)]
        if held and name not in filters:
            filters[name] = {"lt": min(held)}
    return msgspec.structs.replace(plan, filters=filters)


def whole_filter(
    own: Filter, request: SearchRequest, plan: QueryPlan, audience: Audience
) -> Filter:
    """The plan's filters and the request's, by the stored fields that the shopper means; for the
    same field the request's win. What is hidden stays hidden whatever is asked for."""
    place, schema, selected = audience.place, audience.schema, request.filters
    rest = {
        name: spec
        for name, spec in plan.filters.items()
        if name not in selected and WITH_ANOTHER.get(name) not in selected
    }
    rest, said = read_filters(rest, place, schema)
    read = said.filter(parse_filters(rest, schema))
    hidden = list(plan.hidden())
    like = request.query.like if request.query else ()
    return Filter(
        read.conditions + place.filter(own).conditions,
        exclude_ids=like + tuple(id for selection in hidden for id in selection.ids),
        exclude=tuple(place.hidden(s) for s in hidden if s.filters),
    )
