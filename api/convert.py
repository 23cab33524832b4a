"""From what was sent to the engine's request, and from its answer to what is sent back."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, cast
from urllib.parse import quote

import msgspec
from msgspec import structs
from PIL.Image import Image

from engine.components import ComponentStatus
from engine.errors import InvalidFilter, InvalidRequest
from engine.images import decode_base64, decode_image
from engine.schema import FieldKind, IndexSchema
from engine.settings import Settings
from engine.types import Query, SearchRequest, SearchResponse, SortBy
from indexer import Fetcher
from indexer.photos import is_url

from .schemas import ComponentInfo, Crop, ImageForm, SearchBody

FILTER_PREFIX = "filter."
OPERATORS = ("gt", "gte", "lt", "lte", "not")
_BOOLEANS = {"true": True, "false": False}


def to_request(body: SearchBody, image: Image | None = None) -> SearchRequest:
    """The engine's request; it does the checking, this only asks that there is a question."""
    asks = body.text is not None or image is not None or bool(body.like)
    if not asks and body.filters is None:
        raise InvalidRequest(
            "nothing to search for: give text, image, image_url or like; "
            'or "filters": {} to browse everything',
            field="text",
        )
    query = Query(body.text, image, body.like, body.image_weight) if asks else None
    return SearchRequest(
        query=query,
        filters=body.filters or {},
        facets=body.facets,
        group_by=body.group_by,
        sort=body.sort,
        ignore=body.ignore,
        limit=body.limit,
        offset=body.offset,
        locale=body.locale,
        market=body.market,
        currency=body.currency,
        user_id=body.user_id,
        session_id=body.session_id,
        profile=body.profile,
        fields=body.fields,
        highlight=body.highlight,
        explain=body.explain,
    )


def read_picture(body: SearchBody, upload: bytes | None, settings: Settings) -> Image | None:
    """The shopper's picture, from whichever of the three ways it came, cropped."""
    most = min(settings.images.max_bytes, settings.server.max_upload_bytes)
    limits = structs.replace(settings.images, max_bytes=most)
    if sum(given is not None for given in (body.image, body.image_url, upload)) > 1:
        raise InvalidRequest("image: give image or image_url, not both", field="image_url")
    if upload is not None:
        image = decode_image(upload, limits)
    elif body.image is not None:
        image = decode_base64(body.image, limits)
    elif body.image_url is not None:
        image = fetch_picture(body.image_url, settings)
    elif body.crop is not None:
        raise InvalidRequest("crop: there is no picture to crop", field="crop")
    else:
        return None
    return image if body.crop is None else crop_image(image, body.crop)


def fetch_picture(url: str, settings: Settings) -> Image:
    """The picture at ``url``, under the rules for catalogue photos."""
    try:
        return decode_image(Fetcher(settings.images).fetch(url), settings.images)
    except InvalidRequest as error:
        message = str(error).replace("images:", "image_url:", 1)
        raise type(error)(message, field="image_url") from error


def crop_image(image: Image, crop: Crop) -> Image:
    """The part of ``image`` inside ``crop``; raises InvalidRequest for an empty or outer box."""
    x, y, width, height = crop
    if width <= 0 or height <= 0 or x + width > 1.0001 or y + height > 1.0001:
        raise InvalidRequest(
            f"crop: {list(crop)} is not a box inside the picture; give x, y, width and height "
            "as fractions of it, from 0 to 1",
            field="crop",
        )
    left, top = int(x * image.width), int(y * image.height)
    right = max(left + 1, min(image.width, round((x + width) * image.width)))
    bottom = max(top + 1, min(image.height, round((y + height) * image.height)))
    return image.crop((left, top, right, bottom))


def from_form(form: ImageForm) -> SearchBody:
    """A form's fields as a body: empty ones count as absent."""
    return SearchBody(
        text=form.text.strip() or None,
        crop=_crop(form.crop) if form.crop.strip() else None,
        like=tuple(id for id in form.like if id),
        image_weight=form.image_weight,
        filters=_json_object(form.filters) if form.filters.strip() else None,
        facets=split_list(form.facets),
        group_by=form.group_by or None,
        sort=parse_sort(form.sort),
        ignore=form.ignore,
        limit=form.limit,
        offset=form.offset,
        locale=form.locale or None,
        market=form.market or None,
        currency=form.currency or None,
        user_id=form.user_id or None,
        session_id=form.session_id or None,
        profile=form.profile,
        fields=split_list(form.fields) or None,
        highlight=form.highlight,
        explain=form.explain,
    )


def filters_from_pairs(pairs: Iterable[tuple[str, str]], schema: IndexSchema) -> dict[str, Any]:
    """``color=red``, ``price.lte=50``, ``brand.not=Acme`` as the filters of a JSON body.

    Repeated names are alternatives. Values become numbers or booleans where the field is
    declared so; the engine refuses what does not fit.
    """
    found: dict[str, Any] = {}
    for name, text in pairs:
        field, operator = _split_operator(name, schema)
        value = _typed(text, schema.kind(field))
        if operator == "":
            found.setdefault(field, [])
        else:
            found.setdefault(field, {})
        target = found[field]
        if isinstance(target, list) != (operator == ""):
            raise InvalidFilter(
                f"filters.{field}: give values or operators, not both", field=f"filters.{field}"
            )
        if operator == "":
            target.append(value)
        elif operator == "not":
            target.setdefault("not", []).append(value)
        else:
            target[operator] = value
    return found


def filter_pairs(
    parameters: Iterable[tuple[str, str]], others: frozenset[str]
) -> list[tuple[str, str]]:
    """The ``filter.`` parameters of a link without their prefix; one that is neither a filter
    nor among ``others`` is an error, for a misspelt one must not pass silently."""
    pairs = []
    for name, value in parameters:
        if name.startswith(FILTER_PREFIX):
            pairs.append((name.removeprefix(FILTER_PREFIX), value))
        elif name not in others:
            raise InvalidRequest(
                f"{name}: unknown parameter; filters are written {FILTER_PREFIX}{name}=…, the "
                f"others are {', '.join(sorted(others))}",
                field=name,
            )
    return pairs


def filter_pair(text: str) -> tuple[str, str]:
    """A filter as the command line takes it, ``price.lte=50``."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise InvalidFilter(f"--filter {text!r}: write FIELD=VALUE", field="filters")
    return name, value


def parse_sort(text: str) -> SortBy | None:
    """``price`` or, descending, ``-price``."""
    text = text.strip()
    if not text:
        return None
    return SortBy(text[1:], "desc") if text.startswith("-") else SortBy(text)


def split_list(values: Sequence[str]) -> tuple[str, ...]:
    """Comma-separated, repeated, or both."""
    parts = (part.strip() for value in values for part in value.split(","))
    return tuple(part for part in parts if part)


def image_urls(product_id: str, images: Sequence[str], suffix: str = "") -> list[str]:
    """Where a browser finds the photos: this server's route for files, URLs as they are."""
    base = f"/v1/products/{quote(product_id, safe='')}/images/"
    return [ref if is_url(ref) else f"{base}{n}{suffix}" for n, ref in enumerate(images)]


def with_image_urls(
    response: SearchResponse, suffix: str, decode_ms: float | None
) -> SearchResponse:
    """Adds ``image_urls`` beside each product's ``images``, and the time decoding took."""
    for hit in response.hits:
        if "images" in hit.product:
            images = hit.product["images"] or ()
            hit.product["image_urls"] = image_urls(hit.id, images, suffix)
    if decode_ms is None:
        return response
    return structs.replace(
        response,
        timings={"decode": decode_ms, **response.timings},
        took_ms=response.took_ms + decode_ms,
    )


def with_links(view: dict[str, Any], suffix: str = "") -> dict[str, Any]:
    """A whole product as JSON, with its ``image_urls``."""
    view["image_urls"] = image_urls(view["id"], view["images"], suffix)
    return view


class Timer:
    """Milliseconds since it was made."""

    def __init__(self) -> None:
        self._started = time.perf_counter()

    def ms(self) -> float:
        return (time.perf_counter() - self._started) * 1000


def _crop(text: str) -> Crop:
    try:
        parts = [float(part) for part in text.strip("[] ").split(",")]
        return cast(Crop, msgspec.convert(parts, Crop))
    except (ValueError, msgspec.ValidationError) as error:
        raise InvalidRequest(
            f"crop: {text!r} is not four fractions x,y,width,height from 0 to 1", field="crop"
        ) from error


def _json_object(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InvalidFilter(f"filters: not a JSON object: {error}", field="filters") from error


def _split_operator(name: str, schema: IndexSchema) -> tuple[str, str]:
    head, _, tail = name.rpartition(".")
    if head and tail in OPERATORS and schema.kind(name) is None:
        return head, tail
    return name, ""


def _typed(text: str, kind: FieldKind | None) -> str | float | bool:
    if kind is FieldKind.BOOLEAN:
        return _BOOLEANS.get(text.lower(), text)
    if kind is FieldKind.NUMBER:
        try:
            return float(text)
        except ValueError:
            return text
    return text


def component_info(status: ComponentStatus) -> ComponentInfo:
    """A component as it is shown; quantiles in milliseconds."""
    figures = status.figures
    return ComponentInfo(
        kind=status.kind,
        name=status.name,
        plugin=status.plugin,
        isolation=status.isolation,
        deadline_ms=status.deadline_ms,
        memory_mb=status.memory_mb,
        enabled=status.enabled,
        breaker=status.breaker,
        reason=status.reason,
        calls=figures.calls,
        failures={str(cause): count for cause, count in figures.failures.items()},
        p50_ms=figures.p50_s * 1000 if figures.calls else None,
        p95_ms=figures.p95_s * 1000 if figures.calls else None,
    )
