"""``entrepot models import``: a model of OpenCLIP or Hugging Face to a served directory.

What torch answers is compared with what is served before the directory gets its name: token
ids, texts and pictures, alone and in a batch.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec
from msgspec import Struct
from tokenizers import Tokenizer
from torch import nn

from engine import InvalidModel, PluginManager

from .import_encoder import POOLINGS, load_encoder
from .import_open_clip import closest, is_open_clip, load_open_clip
from .imported import Imported, compare, first_difference
from .new_folder import new_folder
from .parity import Parity
from .served import TextPart, write_served


class ImportOptions(Struct, frozen=True):
    """What the source does not say, or says otherwise.

    ``pretrained`` is OpenCLIP's tag or a checkpoint; ``pooling`` for a text encoder without
    sentence-transformers' notes. Prefixes left None are the source's own. A licence is
    required if the source's model card names none.
    """

    pretrained: str = ""
    pooling: str = ""
    name: str = ""
    version: str = "1"
    licence: str = ""
    provenance: str = ""
    query_prefix: str | None = None
    document_prefix: str | None = None


def import_model(source: str, out: Path, options: ImportOptions) -> list[Parity]:
    """Write ``source`` to the folder ``out``; what the comparison with torch found.

    Raises:
        InvalidModel: ``out`` is taken, ``source`` cannot be read or served, its licence is not
            known, or what is served is not what torch gives. Nothing is written then.
    """
    with new_folder(out) as partial, tempfile.TemporaryDirectory() as scratch:
        model = _with_options(_load(source, options, Path(scratch) / "tokenizer.json"), options)
        licence = options.licence or model.licence
        if not licence:
            raise InvalidModel(
                f"{source}: no model card names its licence: say it with --licence",
                field="licence",
            )
        _check_tokens(model)
        write_served(
            partial,
            name=options.name or model.name,
            version=options.version,
            licence=licence,
            provenance=options.provenance or model.provenance,
            spaces=model.spaces,
            text=model.text,
            image=model.image,
        )
        found = _compared(partial, model)
        if worse := [parity for parity in found if not parity.kept]:
            raise InvalidModel(
                f"{source}: not written, for what is served is not what torch gives: "
                + "; ".join(f"{p.what}: cosine {p.cosine:.6f}" for p in worse)
            )
    return found


def _load(source: str, options: ImportOptions, tokenizer_file: Path) -> Imported:
    """By what ``source`` is: OpenCLIP's, a text encoder's folder or hub id, or nothing we know."""
    if is_open_clip(source):
        return load_open_clip(source, options.pretrained, tokenizer_file)
    folder = Path(source)
    if folder.is_file():
        raise InvalidModel(
            f"{source} is a file: name its architecture, as in "
            f"`entrepot models import ViT-B-32 OUT --pretrained {folder.name}`",
            field="source",
        )
    known = (folder / "config.json").is_file() or (folder / "modules.json").is_file()
    hub = source.count("/") == 1 and not folder.exists() and not source.startswith((".", "/"))
    if not known and not hub:
        like = ", ".join(closest(source))
        raise InvalidModel(
            f"{source}: neither a folder with open_clip_config.json, config.json or modules.json, "
            "nor an OpenCLIP name, nor a hub id (hf-hub:ORG/REPO for OpenCLIP, ORG/REPO for a text "
            "encoder)" + (f"; OpenCLIP has {like}" if like else ""),
            field="source",
        )
    if options.pretrained:
        raise InvalidModel(
            f"{source} is a text encoder, with its own weights: leave --pretrained out",
            field="pretrained",
        )
    if options.pooling not in ("", *POOLINGS):
        raise InvalidModel(f"pooling is one of {', '.join(POOLINGS)}", field="pooling")
    return load_encoder(source, options.pooling, tokenizer_file)


def _with_options(model: Imported, options: ImportOptions) -> Imported:
    """With the prefixes that the user gave."""
    given = {"query_prefix": options.query_prefix, "document_prefix": options.document_prefix}
    changes = {name: value for name, value in given.items() if value is not None}
    tower = msgspec.structs.replace(model.text.tower, **changes)
    text = TextPart(model.text.module, tower, model.text.tokenizer)
    return msgspec.structs.replace(model, text=text)


def _check_tokens(model: Imported) -> None:
    """Served ids are torch's, and none is beyond the model's table of embeddings."""
    tokenizer = Tokenizer.from_file(str(model.text.tokenizer))
    tables = [m.num_embeddings for m in model.text.module.modules() if isinstance(m, nn.Embedding)]
    highest = max(tokenizer.get_vocab().values())
    if highest >= max(tables):
        raise InvalidModel(
            f"{model.name}: its tokenizer has the id {highest}, the model embeds {max(tables)}: "
            "they do not belong together",
            field="source",
        )
    if found := first_difference(tokenizer, model.text.tower, model.reference):
        raise InvalidModel(f"{model.name}: its tokenizer cannot be served: {found}", field="source")


def _compared(folder: Path, model: Imported) -> list[Parity]:
    """Through the very encoder that will serve the folder."""
    tower = model.text.tower
    options = {"model": str(folder.resolve()), "space": tower.spaces[0]}
    encoder = PluginManager().create("encoders", "onnx", options)
    found = compare(encoder, model.reference, "document", tower.document_prefix)
    if tower.query_prefix != tower.document_prefix:
        asked = compare(encoder, model.reference, "query", tower.query_prefix)
        found += [msgspec.structs.replace(p, what=f"queries: {p.what}") for p in asked[:2]]
    return found
