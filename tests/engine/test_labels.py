"""Labels files: which table is a shopper's, and what is wrong with a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import InvalidSettings, Settings
from engine.assembly import open_localization
from engine.labels import Labels, LabelTable, load_labels
from engine.settings import LocalizationSettings


def test_a_region_has_what_its_language_has() -> None:
    german = LabelTable({"color": "Farbe"}, {"color": {"red": "Rot", "blue": "Blau"}})
    austrian = LabelTable({}, {"color": {"blue": "Blau (AT)"}, "size": {"s": "Klein"}})
    labels = Labels({"de-AT": austrian, "de": german, "pt-BR": LabelTable({"color": "Cor"})})
    found = labels.of("de-AT")
    assert found is not None
    assert found.fields == {"color": "Farbe"}
    assert found.values == {"color": {"red": "Rot", "blue": "Blau (AT)"}, "size": {"s": "Klein"}}
    assert labels.of("de") == labels.of("de-CH") == german
    assert labels.of("pt") == LabelTable({"color": "Cor"})
    assert labels.of("fr") is labels.of(None) is Labels().of("de") is None


def test_a_category_goes_by_its_path_or_by_its_steps() -> None:
    held = {"category": {"Shoes": "Schuhe", "Shoes > Boots > Rain": "Gummistiefel", "x": "y"}}
    table = LabelTable({}, held)
    assert table.value("category", "Shoes") == "Schuhe"
    assert table.value("category", "Shoes > Boots") == "Schuhe > Boots"
    assert table.value("category", "Shoes > Boots > Rain") == "Gummistiefel"
    assert table.value("category", "Hats > Caps") == table.value("color", "red") == ""


def test_the_first_file_wins(tmp_path: Path) -> None:
    own, machine = tmp_path / "own.toml", tmp_path / "machine.json"
    own.write_text('[de.values.color]\nred = "Rot"', encoding="utf-8")
    machine.write_text('{"DE": {"values": {"color": {"red": "Röte", "blue": "Blau"}}}}')
    table = load_labels([own, machine]).of("de")
    assert table is not None
    assert table.values == {"color": {"red": "Rot", "blue": "Blau"}}


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("none.toml", None, "No such file"),
        ("a.toml", "[de", "Expected"),
        ("a.json", '{"de": 1}', r"Expected `object`"),
        ("a.toml", '[de]\ncolor = "Farbe"', "unknown field `color`"),
        ("a.toml", '[german.fields]\ncolor = "Farbe"', "BCP 47"),
        ("a.json", "\xff", "utf-8"),
    ],
)
def test_what_is_wrong_with_a_file_stops_the_start(
    tmp_path: Path, name: str, text: str | None, told: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text, encoding="latin-1")
    settings = Settings(root=str(tmp_path), localization=LocalizationSettings(labels=(name,)))
    with pytest.raises(InvalidSettings, match=told) as caught:
        open_localization(settings)
    assert caught.value.field == "localization.labels"
    assert name in str(caught.value)
