"""Synonyms: list, read, add, replace, take out, import, mine."""

from __future__ import annotations

from typing import Any

from litestar import Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody

from engine.synonyms import Synonym

from .. import synonyms
from ..edits import IfMatch, version_of, with_etag
from ..guards import may_write, takes_json
from ..openapi import NEEDS_KEY, problems
from ..schemas import SynonymLines, Synonyms, SynonymsAdded
from ..shops import Shop

TAGS = ["synonyms"]
ADDED = ResponseSpec(Synonym, description="Added", generate_examples=False)


@get(
    "/v1/synonyms",
    guards=[may_write],
    responses=problems(401, 403),
    security=NEEDS_KEY,
    tags=TAGS,
    operation_id="listSynonyms",
)
async def list_synonyms(shop: NamedDependency[Shop]) -> Synonyms:
    """All synonyms, candidates as well, and what is wrong with their file."""
    return await shop.workers.read(synonyms.list_synonyms, shop.engine)


@get(
    "/v1/synonyms/{synonym_id:str}",
    guards=[may_write],
    responses=problems(401, 403, 404),
    security=NEEDS_KEY,
    tags=TAGS,
    operation_id="getSynonym",
)
async def get_synonym(synonym_id: FromPath[str], shop: NamedDependency[Shop]) -> Response[Synonym]:
    """One entry; its ETag is what a change of it must name."""
    return with_etag(await shop.workers.read(shop.engine.synonyms.get, synonym_id), 200)


@put(
    "/v1/synonyms/{synonym_id:str}",
    guards=[may_write, takes_json],
    responses={**problems(400, 401, 403, 409, 412, 415), 201: ADDED},
    security=NEEDS_KEY,
    tags=TAGS,
    operation_id="putSynonym",
)
async def put_synonym(
    synonym_id: FromPath[str],
    data: JSONBody[Synonym],
    shop: NamedDependency[Shop],
    if_match: IfMatch = None,
) -> Response[Any]:
    """Add an entry (201), or replace the one with this id (200), which takes its ETag in
    ``If-Match`` so that nobody's edit is lost. A candidate is approved by putting it with the
    status "active". Answered means durable and in force."""
    version = version_of(if_match)
    added = await shop.workers.write(synonyms.put_synonym, shop.engine, synonym_id, data, version)
    return with_etag(data, 201 if added else 200)


@delete(
    "/v1/synonyms/{synonym_id:str}",
    guards=[may_write],
    responses=problems(401, 403, 404, 409, 412),
    security=NEEDS_KEY,
    tags=TAGS,
    operation_id="deleteSynonym",
)
async def delete_synonym(
    synonym_id: FromPath[str], shop: NamedDependency[Shop], if_match: IfMatch = None
) -> None:
    """Take an entry out; like replacing it, this takes its ETag in ``If-Match``."""
    await shop.workers.write(shop.engine.synonyms.delete, synonym_id, version_of(if_match))


@post(
    "/v1/synonyms/import",
    status_code=200,
    guards=[may_write, takes_json],
    responses=problems(400, 401, 403, 409, 415),
    security=NEEDS_KEY,
    tags=TAGS,
    operation_id="importSynonyms",
)
async def import_synonyms(
    data: JSONBody[SynonymLines], shop: NamedDependency[Shop]
) -> SynonymsAdded:
    """Add the synonyms of a text of lines, as Solr and Elasticsearch write them: ``sofa, couch``
    or ``tablet => ipad``. One wrong line, and none is added."""
    write = synonyms.import_synonyms
    return await shop.workers.write(write, shop.engine, data.text, data.locale)


@post(
    "/v1/synonyms/mine",
    status_code=200,
    guards=[may_write],
    responses=problems(401, 403, 409, 503),
    security=NEEDS_KEY,
    tags=TAGS,
    operation_id="mineSynonyms",
)
async def mine_synonyms(shop: NamedDependency[Shop]) -> SynonymsAdded:
    """Look for synonyms in what shoppers do and among the catalogue's own words, and add them as
    candidates: they have no effect until someone makes them active."""
    return await shop.workers.review(synonyms.mine_synonyms, shop.engine)


HANDLERS = [
    list_synonyms,
    get_synonym,
    put_synonym,
    delete_synonym,
    import_synonyms,
    mine_synonyms,
]
