"""Qdrant server or cluster: a generation is a collection, the live one an alias.

Collection ``<shop>--<generation>``, alias ``<shop>``, switched in one call. The spec lies in
the collection's metadata (Qdrant 1.16 or newer) with a mark that :meth:`ServerStore.build`
sets last; a collection without it is unfinished.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct

from engine.errors import GenerationLive, NotFound, StoreError
from engine.hookspecs import Register, hookimpl
from engine.protocols import GenerationSpec, VectorStores

from .qdrant_common import (
    EXACT_BELOW_KB,
    HNSW_EF_CONSTRUCT,
    HNSW_M,
    check_name,
)
from .qdrant_server_store import BUILT, SPEC, ServerStore
from .qdrant_transport import Transport, without_credentials

LOCAL = ":memory:"


class ServerOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """``[store.options]`` for ``qdrant-server``.

    ``url`` names the HTTP port; with ``grpc`` the data goes over ``grpc_port`` instead.
    ``ca_file`` trusts a private certificate authority (HTTP; gRPC reads the system's).
    ``shard_number``, ``replication_factor`` and ``write_consistency_factor`` are fixed when a
    generation is created (``None``: the server's defaults). ``url=":memory:"`` is the
    client's local mode, for tests.
    """

    data_dir: str = ""
    shop: str = "shop"
    url: str = "http://localhost:6333"
    grpc: bool = False
    grpc_port: int = 6334
    api_key: str = ""
    timeout_s: int = 10
    retries: int = 2
    tls_verify: bool = True
    ca_file: str = ""
    shard_number: int | None = None
    replication_factor: int | None = None
    write_consistency_factor: int | None = None
    quantization: Literal["none", "scalar"] = "none"
    exact_below_kb: int = EXACT_BELOW_KB

    def __repr__(self) -> str:
        return f"ServerOptions(shop={self.shop!r}, url={without_credentials(self.url)!r})"


@hookimpl
def register_stores(register: Register[VectorStores]) -> None:
    register("qdrant-server", connect, ServerOptions)


def connect(options: ServerOptions) -> ServerStores:
    """Nothing is sent yet; a wrong URL shows at the first call."""
    from qdrant_client import QdrantClient, models  # 0.8 s and 70 MB, so only when chosen

    if options.url == LOCAL:
        client = QdrantClient(location=LOCAL, force_disable_check_same_thread=True)
    else:
        client = QdrantClient(
            url=options.url,
            prefer_grpc=options.grpc,
            grpc_port=options.grpc_port,
            api_key=options.api_key or None,
            timeout=options.timeout_s,
            check_compatibility=False,
            verify=options.ca_file or options.tls_verify,
        )
    transport = Transport(
        client,
        options.url,
        retries=options.retries,
        secret=options.api_key,
        local=options.url == LOCAL,
    )
    return ServerStores(transport, models, options)


class ServerStores:
    """A shop's generations, as collections. ``models`` is ``qdrant_client.models``."""

    def __init__(self, transport: Transport, models: Any, options: ServerOptions) -> None:
        self.transport = transport
        self.models = models
        self.options = options
        self._alias = check_name(options.shop, what="shop")
        self._prefix = f"{options.shop}--"

    def create(self, generation: str, spec: GenerationSpec) -> ServerStore:
        collection = self._collection(generation)
        if self.transport.call("collection_exists", collection):
            raise StoreError(f"generation {generation!r} exists already; drop it or choose another")
        self.transport.call(
            "create_collection",
            collection,
            metadata={SPEC: msgspec.json.encode(spec).decode(), BUILT: False},
            shard_number=self.options.shard_number,
            replication_factor=self.options.replication_factor,
            write_consistency_factor=self.options.write_consistency_factor,
            **self._config(spec),
        )
        return self._store(collection, spec)

    def open(self, generation: str) -> ServerStore:
        return self._store(self._collection(generation), self.describe(generation))

    def describe(self, generation: str) -> GenerationSpec:
        metadata = self._metadata(self._collection(generation))
        if not metadata.get(BUILT):
            raise NotFound(f"no finished generation {generation!r} of shop {self._alias!r}")
        return msgspec.json.decode(metadata[SPEC], type=GenerationSpec)

    def generations(self) -> list[str]:
        built = [name for name in self._collections() if self._metadata(name).get(BUILT)]
        return sorted(name.removeprefix(self._prefix) for name in built)

    def current(self) -> str | None:
        for alias in self.transport.call("get_aliases").aliases:
            if alias.alias_name == self._alias:
                return str(alias.collection_name).removeprefix(self._prefix)
        return None

    def promote(self, generation: str) -> None:
        self.describe(generation)
        m = self.models
        point = m.CreateAlias(collection_name=self._collection(generation), alias_name=self._alias)
        operations = [m.CreateAliasOperation(create_alias=point)]
        if self.current():
            gone = m.DeleteAlias(alias_name=self._alias)
            operations.insert(0, m.DeleteAliasOperation(delete_alias=gone))
        self.transport.call("update_collection_aliases", operations)

    def drop(self, generation: str) -> None:
        if self._collection(generation) not in self._collections():
            raise NotFound(f"no generation {generation!r} of shop {self._alias!r}")
        if generation == self.current():
            raise GenerationLive(f"generation {generation!r} is live; promote another one first")
        self.transport.call("delete_collection", self._collection(generation))

    def drop_everything(self) -> None:
        """The shop, its live generation included, as if it had never been."""
        if self.current():
            gone = self.models.DeleteAlias(alias_name=self._alias)
            operation = self.models.DeleteAliasOperation(delete_alias=gone)
            self.transport.call("update_collection_aliases", [operation])
        for collection in self._collections():
            self.transport.call("delete_collection", collection)

    def close(self) -> None:
        self.transport.close()

    def _store(self, collection: str, spec: GenerationSpec) -> ServerStore:
        return ServerStore(
            self.transport,
            self.models,
            collection,
            spec,
            exact_below_kb=self.options.exact_below_kb,
            quantized=self.options.quantization == "scalar",
            indexed=self.options.url != LOCAL,
        )

    def _collection(self, generation: str) -> str:
        return self._prefix + check_name(generation, what="generation")

    def _collections(self) -> list[str]:
        names = [c.name for c in self.transport.call("get_collections").collections]
        return [name for name in names if name.startswith(self._prefix)]

    def _metadata(self, collection: str) -> dict[str, Any]:
        try:
            found = self.transport.call("get_collection", collection).config.metadata
        except NotFound:
            return {}
        return found or {}

    def _config(self, spec: GenerationSpec) -> dict[str, Any]:
        """No HNSW yet (threshold 0): payload indexes come first, in ``build``."""
        m = self.models
        best_photo = m.MultiVectorConfig(comparator=m.MultiVectorComparator.MAX_SIM)
        kept = m.Datatype(spec.precision)
        quantized = None
        if self.options.quantization == "scalar":
            int8 = m.ScalarQuantizationConfig(
                type=m.ScalarType.INT8, quantile=0.99, always_ram=True
            )
            quantized = m.ScalarQuantization(scalar=int8)
        return {
            "vectors_config": {
                "text": m.VectorParams(
                    size=spec.text_encoder.dim, distance=m.Distance.DOT, datatype=kept
                ),
                "image": m.VectorParams(
                    size=spec.image_encoder.dim,
                    distance=m.Distance.DOT,
                    multivector_config=best_photo,
                    datatype=kept,
                ),
            },
            "sparse_vectors_config": {"bm25": m.SparseVectorParams(modifier=m.Modifier.IDF)},
            "hnsw_config": m.HnswConfigDiff(
                m=HNSW_M,
                ef_construct=HNSW_EF_CONSTRUCT,
                full_scan_threshold=self.options.exact_below_kb,
            ),
            "optimizers_config": m.OptimizersConfigDiff(indexing_threshold=0),
            "quantization_config": quantized,
        }
