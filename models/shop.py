"""A shop's catalogue as training material: photos that decode, their captions, judged queries.

Catalogues are untrusted: photos are decoded where all others are (:mod:`engine.images`), kept
within the catalogue's folder and under its limits. One that cannot be used is counted, never an
end of the run.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Meta, Struct
from PIL import Image

from engine import ForbiddenUrl, InvalidImage, InvalidRequest, Product
from engine.errors import EntrepotError
from engine.images import decode_base64, decode_image, read_local
from engine.settings import ImageSettings

MIN_PRODUCTS = 50
"""Fewer cannot show an improvement: some must be held out, and the rest be learned from."""
MAX_PHOTOS = 4000
"""Photos used of a larger catalogue: what two cores can look at in minutes."""
PHOTOS_PER_PRODUCT = 2
KEPT_SIDE = 384
"""Pixels that the shorter side of a kept photo has at least: crops of half of it are still
larger than what the tower looks at."""
MAX_KINDS = 8
SHOWN_PROBLEMS = 5
_URL = re.compile(r"[a-z][a-z0-9+.-]*://|//", re.IGNORECASE)


@dataclass(slots=True)
class Tally:
    """Rows and photos that were left out, and the first few reasons."""

    rows: int = 0
    unusable: int = 0
    duplicates: int = 0
    without_photo: int = 0
    urls: int = 0
    unreadable: int = 0
    not_needed: int = 0
    problems: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """For people; only what happened."""
        for count, what in (
            (self.unusable, "rows are no products (or not published)"),
            (self.duplicates, "rows repeat an id"),
            (self.urls, "photos are URLs: fine-tuning reads files"),
            (self.unreadable, "photos cannot be read"),
            (self.without_photo, "products have no usable photo"),
            (self.not_needed, f"products were not drawn: {MAX_PHOTOS:,} photos are enough"),
        ):
            if count:
                yield f"left out: {count:,} {what}"
        yield from (f"  {problem}" for problem in self.problems)


@dataclass(frozen=True, slots=True)
class Shop:
    """Products with their photos: ``photos[j]`` is a decoded RGB file of ``products[owner[j]]``.
    ``digest`` hashes what is learned from: words and photos."""

    products: list[Product]
    photos: list[Path]
    owner: npt.NDArray[np.intp]
    tally: Tally
    digest: str


def read_shop(
    rows: Iterable[Product | None],
    root: Path,
    limits: ImageSettings,
    folder: Path,
    first: Collection[str] = (),
    seed: int = 0,
) -> Shop:
    """Decode the photos below ``root`` into ``folder``. Where there are more than
    :data:`MAX_PHOTOS`, products are drawn by ``seed``, those in ``first`` before the others.

    Raises:
        InvalidRequest: fewer than :data:`MIN_PRODUCTS` products have a usable photo.
    """
    tally = Tally()
    products = _distinct(rows, tally)
    order = np.random.default_rng(seed).permutation(len(products)).tolist()
    order.sort(key=lambda i: products[i].id not in first)
    decoded: dict[int, list[Path]] = {}
    digests: dict[int, str] = {}
    count = 0
    for place, i in enumerate(order):
        if count >= MAX_PHOTOS:
            tally.not_needed = len(order) - place
            break
        files, digests[i] = _decode(products[i], i, root, limits, folder, tally)
        count += len(files)
        if files:
            decoded[i] = files
    tally.without_photo = len(digests) - len(decoded)
    if len(decoded) < MIN_PRODUCTS:
        raise InvalidRequest(
            "\n".join(
                [
                    f"catalogue: {len(decoded)} products have a usable photo; fine-tuning needs "
                    f"{MIN_PRODUCTS} or more",
                    *tally.lines(),
                ]
            ),
            field="catalogue",
        )
    used = sorted(decoded)
    digest = hashlib.sha256("".join(digests[i] for i in used).encode()).hexdigest()
    owner = [place for place, i in enumerate(used) for _ in decoded[i]]
    photos = [path for i in used for path in decoded[i]]
    return Shop([products[i] for i in used], photos, np.asarray(owner), tally, digest)


def _distinct(rows: Iterable[Product | None], tally: Tally) -> list[Product]:
    found: dict[str, Product] = {}
    for product in rows:
        tally.rows += 1
        if product is None:
            tally.unusable += 1
        elif product.id in found:
            tally.duplicates += 1
        else:
            found[product.id] = product
    return list(found.values())


def _decode(
    product: Product, number: int, root: Path, limits: ImageSettings, folder: Path, tally: Tally
) -> tuple[list[Path], str]:
    """The kept files of the product's first usable photos, and a digest of all that is used."""
    described = (
        *(product.id, product.title, product.category, product.brand),
        *(product.attributes, product.translations, product.group_id),
    )
    digest = hashlib.sha256(msgspec.json.encode(described, order="sorted"))
    files: list[Path] = []
    for ref in product.images:
        if len(files) == PHOTOS_PER_PRODUCT:
            break
        try:
            picture = _picture(ref, root, limits)
        except ForbiddenUrl:
            tally.urls += 1
            continue
        except EntrepotError as error:
            tally.unreadable += 1
            if len(tally.problems) < SHOWN_PROBLEMS:
                tally.problems.append(f"{product.id}: {error}")
            continue
        file = folder / f"{number:07}-{len(files)}.png"
        picture.save(file, compress_level=1)
        digest.update(picture.tobytes())
        files.append(file)
    return files, digest.hexdigest()


def _picture(ref: str, root: Path, limits: ImageSettings) -> Image.Image:
    if ref.startswith("data:"):
        picture = decode_base64(ref, limits, field="images")
    elif _URL.match(ref):
        raise ForbiddenUrl(f"images: {ref[:100]!r} is a URL", field="images")
    elif (root / ref).exists() and not (root / ref).is_file():
        raise InvalidImage(f"images: {ref!r} is not a file", field="images")  # a pipe would hang
    else:
        picture = decode_image(read_local(root, ref, limits), limits, field="images")
    factor = min(picture.size) // KEPT_SIDE
    return picture.reduce(factor) if factor >= 2 else picture


def titles_of(product: Product) -> list[str]:
    """The title in every language that the catalogue has."""
    return [product.title, *(t.title for t in product.translations.values() if t.title)]


def kinds_of(products: Sequence[Product]) -> list[list[str]]:
    """What shoppers call each product's kind: its category, alone and with its brand and the
    values of attributes that describe (words that several products share, not codes)."""
    values = [dict(_words(product)) for product in products]
    seen: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in values:
        for name, words in row.items():
            seen[name].update(words)
    shared = {name for name, counts in seen.items() if 2 * len(counts) <= counts.total()}
    found = []
    for product, row in zip(products, values, strict=True):
        leaf = product.category[-1].lower() if product.category else ""
        kinds = [leaf, f"{product.brand} {leaf}".strip() if product.brand else ""]
        kinds += [f"{w} {leaf}".strip() for name in row if name in shared for w in row[name]]
        found.append([kind for kind in dict.fromkeys(kinds) if kind][:MAX_KINDS])
    return found


def _words(product: Product) -> Iterator[tuple[str, list[str]]]:
    """Attributes whose values are a few words of at most 30 characters."""
    for name, value in product.attributes.items():
        given = value if isinstance(value, list) else [value]
        words = [v.lower() for v in given if isinstance(v, str) and len(v) <= 30]
        if words := [word for word in words if re.search(r"[^\W\d_]", word)]:
            yield name, words


class Judgment(Struct, frozen=True):
    """A line of the pairs file: judgments have a ``grade``, clicks a ``weight`` or nothing."""

    query: Annotated[str, Meta(pattern=r"\S", max_length=2000)]
    product_id: str | int
    weight: Annotated[float, Meta(ge=0, le=1e6)] | None = None
    grade: Annotated[float, Meta(ge=0, le=1e6)] | None = None

    @property
    def worth(self) -> float:
        """0 says that the product does not answer the query."""
        given = self.weight if self.weight is not None else self.grade
        return 1.0 if given is None else given


@dataclass(slots=True)
class Pairs:
    """Queries with the products that answer them and how much each is worth."""

    queries: dict[str, dict[str, float]] = field(default_factory=dict)
    invalid: int = 0
    irrelevant: int = 0

    @property
    def ids(self) -> set[str]:
        return {id for products in self.queries.values() for id in products}


def read_pairs(path: Path) -> Pairs:
    """Queries are compared in lower case; a pair that repeats adds up.

    Raises:
        InvalidRequest: the file cannot be read, or not one line of it is a pair.
    """
    pairs = Pairs()
    problem = "it is empty"
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InvalidRequest(f"pairs: {path}: {error.strerror}", field="pairs") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            judged = msgspec.json.decode(line, type=Judgment)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            pairs.invalid += 1
            problem = f"line {number}: {error}"
            continue
        if judged.worth == 0:
            pairs.irrelevant += 1
            continue
        products = pairs.queries.setdefault(" ".join(judged.query.lower().split()), {})
        id = str(judged.product_id)
        products[id] = products.get(id, 0.0) + judged.worth
    if not pairs.queries:
        raise InvalidRequest(
            f'pairs: {path} has no pair such as {{"query": "red shoes", "product_id": "17", '
            f'"weight": 1}}: {problem}',
            field="pairs",
        )
    return pairs
