"""Settings: one file, overruled by the environment; mistakes are named."""

from __future__ import annotations

import logging
import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from engine import FieldKind, InvalidSettings, Settings, load_settings
from engine.settings import FILE_NAME, ProfileSettings

FULL = """
shop = "shoes"
data_dir = "data"
[catalogue]
source = "products.jsonl"
columns = { title = "name" }
fields = { size = "keyword" }
[store]
plugin = "qdrant-server"
options = { url = "http://localhost:6333" }
[search]
rrf_k = 10
[profiles.default]
rankers = ["availability", "thrifty"]
[profiles.plain]
rankers = []
weights = { image = 0.5 }
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / FILE_NAME
    path.write_text(FULL, encoding="utf-8")
    return path


def test_a_file(file: Path) -> None:
    settings = load_settings(file)
    assert settings.shop == "shoes"
    assert settings.data_path == file.parent.resolve() / "data"
    assert settings.catalogue.columns == {"title": "name"}
    assert settings.catalogue.fields == {"size": FieldKind.KEYWORD}
    assert settings.store.options == {"url": "http://localhost:6333"}
    assert settings.search.rrf_k == 10
    assert settings.profiles["default"].rankers == ("availability", "thrifty")
    assert settings.profiles["plain"].weights == {"image": 0.5}
    assert settings.profiles["plain"].query_processors == ProfileSettings().query_processors


def test_without_a_file_everything_has_a_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    assert settings == Settings(root=str(tmp_path.resolve()))
    assert settings.data_path == tmp_path.resolve() / "entrepot-data"


def test_the_file_here_is_found(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    assert load_settings().shop == "shoes"


def test_an_absolute_data_dir_stays(tmp_path: Path) -> None:
    settings = Settings(root="/somewhere", data_dir=str(tmp_path))
    assert settings.data_path == tmp_path.resolve()


def test_the_environment_overrules(file: Path) -> None:
    env = {
        "ENTREPOT_SHOP": "42",
        "ENTREPOT_DATA_DIR": "elsewhere",
        "ENTREPOT_SEARCH__RRF_K": "7",
        "ENTREPOT_IMAGES__URLS": "true",
        "ENTREPOT_IMAGES__TIMEOUT_S": "0.5",
        "ENTREPOT_STORE__OPTIONS__URL": "http://qdrant:6333",
        "ENTREPOT_SERVER__API_KEY": "123456",
        "ENTREPOT_PROFILES__PLAIN__RANKERS": '["thrifty"]',
        "ENTREPOT_CATALOGUE__COLUMNS": '{ title = "headline" }',
        "ENTREPOT_CATALOGUE__CATEGORY_SEPARATOR": "[",
        "OTHER": "left alone",
    }
    settings = load_settings(file, env)
    assert settings.shop == "42"
    assert settings.data_path == file.parent.resolve() / "elsewhere"
    assert settings.search.rrf_k == 7
    assert settings.images.urls is True
    assert settings.images.timeout_s == 0.5
    assert settings.store.options == {"url": "http://qdrant:6333"}
    assert settings.store.plugin == "qdrant-server"
    assert settings.server.api_key == "123456"
    assert settings.profiles["plain"].rankers == ("thrifty",)
    assert settings.catalogue.columns == {"title": "headline"}
    assert settings.catalogue.category_separator == "["


def test_variables_of_others_are_left_alone(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    env = {"ENTREPOT_PORT": "tcp://10.0.0.1:80", "ENTREPOT_SERVICE_HOST": "x", "ENTREPOT_ROOT": "/"}
    with caplog.at_level(logging.WARNING):
        assert load_settings(file, env) == load_settings(file)
    assert not caplog.records


def test_a_misspelt_variable_is_logged(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        load_settings(file, {"ENTREPOT_SERCH__RRF_K": "7"})
    assert "ENTREPOT_SERCH__RRF_K names no setting; did you mean SEARCH?" in caplog.text


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("shp = 'x'", "unknown field `shp`"),
        ("[search]\nrrfk = 3", r"unknown field `rrfk`.*\$\.search"),
        ("[profiles.default]\nranker = []", r"unknown field `ranker`"),
        ("shop = 3", r"Expected `str`, got `int`.*\$\.shop"),
        ("shop = 'Shoes!'", r"matching regex"),
        ("[search]\nrrf_k = '60'", r"Expected `int`.*rrf_k"),
        ("[search]\ndepth = 100000", r"<= 1000.*depth"),
        ("[images]\ntimeout_s = 0", "timeout_s"),
        ("[store]\noptions = {}", r"missing required field `plugin`"),
        ("shop = ", "is not valid TOML"),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, toml: str, message: str) -> None:
    file = tmp_path / FILE_NAME
    file.write_text(toml, encoding="utf-8")
    with pytest.raises(InvalidSettings, match=message) as caught:
        load_settings(file)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ENTREPOT_SEARCH__RRF_K", "many", r"environment.*Expected `int`.*rrf_k"),
        ("ENTREPOT_SEARCH__RRFK", "3", r"environment.*unknown field `rrfk`"),
        ("ENTREPOT_SHOP__NAME", "x", "ENTREPOT_SHOP__NAME: 'shop' is not a table"),
    ],
)
def test_a_mistake_in_the_environment_is_named(
    file: Path, name: str, value: str, message: str
) -> None:
    with pytest.raises(InvalidSettings, match=message):
        load_settings(file, {name: value})


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match=r"cannot read .*nowhere\.toml: No such file"):
        load_settings(tmp_path / "nowhere.toml")
    with pytest.raises(InvalidSettings, match="cannot read"):
        load_settings(tmp_path)
    latin = tmp_path / "latin.toml"
    latin.write_bytes("shop = 'café'".encode("latin-1"))
    with pytest.raises(InvalidSettings, match="not valid TOML"):
        load_settings(latin)


def test_rules_are_in_the_data_folder_unless_the_settings_say_otherwise(tmp_path: Path) -> None:
    file = tmp_path / "entrepot.toml"
    file.write_text('data_dir = "data"\n')
    assert load_settings(file).rules_path == tmp_path / "data" / "rules.json"
    file.write_text('rules_file = "merchandising/rules.json"\n')
    assert load_settings(file).rules_path == tmp_path / "merchandising" / "rules.json"
    env = {"ENTREPOT_RULES_FILE": "/elsewhere/rules.json"}
    assert load_settings(file, env).rules_path == Path("/elsewhere/rules.json")


def test_tables_of_components_by_variables(file: Path) -> None:
    """Hyphens stay as they are; an inline table stands for a whole table."""
    by_path = {"ENTREPOT_PLUGINS__OPTIONS__FIRST-BRAND__LIFT": "2"}
    assert load_settings(file, by_path).plugins.options == {"first-brand": {"lift": "2"}}
    whole = {"ENTREPOT_PLUGINS__OPTIONS": '{ my-ranker = { lift = 2, "Key" = [1] } }'}
    assert load_settings(file, whole).plugins.options == {"my-ranker": {"lift": 2, "Key": [1]}}
    json = {"ENTREPOT_PLUGINS__OPTIONS": '{"my-ranker": {"lift": 2}}'}
    with pytest.raises(
        InvalidSettings, match=r"Expected `object`, got `str`.*\$\.plugins\.options"
    ):
        load_settings(file, json)


@pytest.mark.parametrize(
    ("toml", "place"),
    [
        (
            "[plugins.limits.a]\n[plugins.limits.b-c]\ndeadline_ms = 0",
            "plugins.limits.b-c.deadline_ms",
        ),
        ("[plugins.options]\na = { x = 1 }\nb = 3", "plugins.options.b"),
        ("[profiles.default]\n[profiles.gifts]\nranker = []", "profiles.gifts"),
        ("[profiles.gifts.weights]\ntext = 1\nimage = -1", "profiles.gifts.weights.image"),
        ("[profiles.gifts]\nrankers = ['a', 3]", "profiles.gifts.rankers[1]"),
        ("[catalogue.fields]\nsize = 'keyword'\nwidth = 'wide'", "catalogue.fields.width"),
    ],
)
def test_a_mistake_is_placed_by_its_key(tmp_path: Path, toml: str, place: str) -> None:
    """msgspec says ``[...]`` for any key."""
    file = tmp_path / FILE_NAME
    file.write_text(toml, encoding="utf-8")
    with pytest.raises(InvalidSettings) as caught:
        load_settings(file)
    assert str(caught.value).endswith(f" - at `$.{place}`")


def test_the_catalogues_language_is_a_tag_in_its_usual_spelling(tmp_path: Path) -> None:
    file = tmp_path / FILE_NAME
    file.write_text('[catalogue]\nlocale = "DE_at"', encoding="utf-8")
    assert load_settings(file).catalogue.locale == "de-AT"
    file.write_text('[catalogue]\nlocale = "german"', encoding="utf-8")
    with pytest.raises(InvalidSettings, match="locale: 'german' is no language tag"):
        load_settings(file)


def test_the_page_has_all_settings_and_their_defaults(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "settings.md"
    block = page.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    defaults = msgspec.to_builtins(Settings())
    del defaults["root"]
    del defaults["encoders"]["bridge"]  # without one by default, which TOML cannot say
    assert msgspec.json.encode(tomllib.loads(block), order="sorted") == msgspec.json.encode(
        defaults, order="sorted"
    )
    (tmp_path / FILE_NAME).write_text(block, encoding="utf-8")
    assert load_settings(tmp_path / FILE_NAME) == Settings(root=str(tmp_path.resolve()))


def test_the_pages_variables_are_settings(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    page = Path(__file__).parents[2] / "docs" / "settings.md"
    rows = re.findall(
        r"^\| `(ENTREPOT_\w\S*?)='?(.*?)'?` \|", page.read_text("utf-8"), re.MULTILINE
    )
    assert len(rows) == 6
    (tmp_path / FILE_NAME).touch()
    for name, value in rows:
        changed = load_settings(tmp_path / FILE_NAME, {name: value})
        assert changed != Settings(root=str(tmp_path.resolve())), name
    assert not caplog.records
