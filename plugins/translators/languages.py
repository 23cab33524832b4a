"""How languages are named to translators."""

from __future__ import annotations

ISO_639_3 = {
    **{"eng": "en", "spa": "es", "fra": "fr", "ita": "it", "por": "pt", "cat": "ca"},
    **{"deu": "de", "nld": "nl", "zho": "zh", "jpn": "ja", "kor": "ko", "rus": "ru"},
    **{"pol": "pl", "tur": "tr", "swe": "sv", "dan": "da", "ara": "ar", "ell": "el"},
    **{"glg": "gl", "ron": "ro", "eus": "eu", "oci": "oc", "arg": "an", "ast": "ast"},
}
"""Three-letter codes of package names, and the codes by which languages go here."""


def language_of(locale: str | None) -> str:
    """The language of a BCP 47 tag: "pt" for "pt-BR"; empty where there is none."""
    code = (locale or "").replace("_", "-").partition("-")[0].lower()
    return ISO_639_3.get(code, code)
