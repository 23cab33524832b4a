"""Components in processes of their own: what they answer, what they are given, how they end."""

from __future__ import annotations

import logging
import os
import select
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image

from engine import (
    Explains,
    ForKnownShoppers,
    IndexSchema,
    InvalidSettings,
    NeedsBehaviour,
    PluginError,
    PluginManager,
    Query,
    QueryPlan,
    RankingBatch,
    SearchRequest,
    ShopView,
    Span,
    Taste,
    UnknownPlugin,
    UserProfile,
)
from engine.guard import Failure
from engine.isolation import PICTURE_SIDE, isolated
from engine.offers import offers_of
from engine.process_keeper import Keeper
from engine.wire import Done, Numbers

from .installed import FAULTY, install

GENEROUS_S = 60.0
ECHO = """
import os
import sys
import threading

import msgspec
import numpy as np
from engine import hookimpl


class Tells:
    \"\"\"Scores that say what the process sees.\"\"\"
    required_fields, required_vectors = ("price",), ("text",)

    def __init__(self, what):
        self.what = what

    def rank(self, batch):
        image = batch.request.query and batch.request.query.image
        told = {
            "size": lambda: max(image.size) if image else 0,
            "sum": lambda: batch.vectors["text"].sum(),
            "more": lambda: len(batch.vectors) * 10 + len(batch.columns),
            "calls": self.count,
            "environment": lambda: any(name.startswith("ENTREPOT_") for name in os.environ),
            "loaded": lambda: "echo_unwanted" in sys.modules,
            "writes": lambda: batch.scores.fill(0),
            "spins": self.spin,
        }
        return np.full(len(batch.ids), float(told[self.what]()))

    def spin(self):
        print("spinning", flush=True)
        while True:
            pass

    seen = 0

    def count(self):
        self.seen += 1
        return self.seen


class Shop:
    \"\"\"Says in the plan's text what it knows of the shop, and how often it was told of one.\"\"\"
    told = 0
    last = None

    def process(self, plan, shop):
        if shop is not self.last:
            self.told, self.last = self.told + 1, shop
        if not plan.text:
            return plan
        values = ",".join(shop.vocabulary["color"])
        return msgspec.structs.replace(plan, text=f"{self.told}:{values}:{shop.locale}")


class Knows:
    \"\"\"Scores that say what the process is told of the shopper and the shop.\"\"\"
    required_fields = required_vectors = ()

    def __init__(self, *declared):
        self.required_behaviour = declared
        self.for_known_shoppers = declared == ("profile",)

    def rank(self, batch):
        weight = batch.profile.session.affinities["color"]["red"] if batch.profile else 0
        popular = 0 if batch.popularity is None else batch.popularity
        return np.full(len(batch.ids), float(weight)) + popular


class Odd:
    required_fields, required_vectors = (), ("pixels",)


@hookimpl
def register_rankers(register):
    for what in ("size", "sum", "calls", "environment", "loaded", "more", "writes", "spins-aloud"):
        register(what, lambda options, what=what: Tells(what.removesuffix("-aloud")))
    register("odd", lambda options: Odd())
    register("knows-both", lambda options: Knows("profile", "popularity"))
    register("knows-shopper", lambda options: Knows("profile"))
    register("knows-shop", lambda options: Knows("popularity"))
    register("knows-nothing", lambda options: Knows())


@hookimpl
def register_query_processors(register):
    register("shop", lambda options: Shop())
"""


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PluginManager]:
    modules = {"faulty": FAULTY, "echo": ECHO, "unwanted": "", "zz-late": "1 / 0"}
    with pytest.MonkeyPatch.context() as patch:
        install(tmp_path_factory.mktemp("plugins"), patch, "echo", modules)
        yield PluginManager()


def frozen(values: Any, dtype: Any = np.float32) -> Any:
    array = np.asarray(values, dtype=dtype)
    array.flags.writeable = False
    return array


def batch(n: int = 4, image: Image.Image | None = None) -> RankingBatch:
    return RankingBatch(
        ids=[f"shoe-{i}" for i in range(n)],
        scores=frozen(np.linspace(1, 0.5, n)),
        lane_ranks={"text": frozen(range(1, n + 1), np.int32)},
        lane_scores={"text": frozen(np.full(n, np.nan))},
        plan=QueryPlan(original="red", text="red"),
        request=SearchRequest(Query("red", image)),
        columns={"price": [1.0, None, ["a"], True][:n]},
        vectors={"text": frozen(np.ones((n, 3))), "image": frozen(np.zeros((n, 2)))},
    )


def shop_of(*colours: str) -> ShopView:
    class Encoder:
        """Cannot be sent anywhere."""

        lock = threading.Lock()

    vocabulary = {"color": dict.fromkeys(colours, 1)}
    return ShopView(IndexSchema(), vocabulary, Encoder(), {"EUR": 2}, "es")  # type: ignore[arg-type]


def run(manager: PluginManager, kind: str, name: str, **limits: Any) -> Any:
    return isolated(manager, kind, name, **{"deadline_s": GENEROUS_S, **limits})


def test_a_ranker_answers_as_it_would_here(manager: PluginManager) -> None:
    given = batch()
    with run(manager, "rankers", "sound") as ranker:
        assert ranker.required_fields == ("price",)
        assert ranker.required_vectors == ("image",)
        found = ranker.rank(given)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, given.scores)
        assert isinstance(ranker, Explains)
        assert ranker.explain(given, np.asarray([1, 0])) == [{"price": 0.0}, {"price": 1.0}]


def test_an_arranger_answers_as_it_would_here(manager: PluginManager) -> None:
    with run(manager, "arrangers", "turns") as arranger:
        assert not isinstance(arranger, Explains)
        assert arranger.arrange(batch()).tolist() == [3, 2, 1, 0]


def test_vectors_reach_it(manager: PluginManager) -> None:
    with run(manager, "rankers", "sum") as ranker:
        assert ranker.rank(batch()).tolist() == [12.0] * 4


def test_what_others_declared_stays_here(manager: PluginManager) -> None:
    """But not the fields that the plan speaks of."""
    given = batch(2)
    given.columns["color"] = given.columns["size"] = ["red", None]
    plan = QueryPlan(spans=(Span(0, 3, "color", "red", field="color"),))
    with run(manager, "rankers", "more") as ranker:
        assert ranker.rank(given).tolist() == [11, 11]
        planned = msgspec.structs.replace(given, plan=plan)
        assert ranker.rank(planned).tolist() == [12, 12]


@pytest.mark.parametrize(
    ("name", "declared", "scores"),
    [
        ("knows-both", ("profile", "popularity"), [2.5, 0.5]),
        ("knows-shopper", ("profile",), [0.5, 0.5]),
        ("knows-shop", ("popularity",), [2.0, 0.0]),
        ("knows-nothing", (), [0.0, 0.0]),
        ("more", (), [11.0, 11.0]),
    ],
)
def test_behaviour_reaches_those_that_declare_it(
    manager: PluginManager, name: str, declared: tuple[str, ...], scores: list[float]
) -> None:
    profile = UserProfile(session=Taste(frozen([1, 0]), None, {"color": {"red": 0.5}}, 1.0, 1))
    given = msgspec.structs.replace(batch(2), profile=profile, popularity=frozen([2, 0]))
    with run(manager, "rankers", name) as ranker:
        assert isinstance(ranker, NeedsBehaviour)
        assert ranker.required_behaviour == declared
        assert isinstance(ranker, ForKnownShoppers)
        assert ranker.for_known_shoppers == (declared == ("profile",))
        assert ranker.rank(given).tolist() == scores


def test_what_is_given_cannot_be_written_to_there_either(manager: PluginManager) -> None:
    with run(manager, "rankers", "writes") as ranker, pytest.raises(Failure, match="read-only"):
        ranker.rank(batch())


def test_one_process_answers_all_calls(manager: PluginManager) -> None:
    with run(manager, "rankers", "calls") as ranker:
        assert [ranker.rank(batch(1)).tolist() for _ in range(3)] == [[1.0], [2.0], [3.0]]


def test_pictures_are_sent_small(manager: PluginManager) -> None:
    with run(manager, "rankers", "size") as ranker:
        large = Image.new("RGB", (1000, 600))
        assert ranker.rank(batch(1, large)).tolist() == [PICTURE_SIDE]
        assert large.size == (1000, 600)
        assert ranker.rank(batch(1, Image.new("RGB", (20, 30)))).tolist() == [30]
        assert ranker.rank(batch(1)).tolist() == [0]


def test_the_child_has_its_plugin_alone_and_no_settings(
    manager: PluginManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENTREPOT_SERVER__API_KEY", "secret")
    assert "echo_unwanted" in sys.modules
    for name in ("environment", "loaded"):
        with run(manager, "rankers", name) as ranker:
            assert ranker.rank(batch(1)).tolist() == [0]


def test_a_processor_is_told_of_each_shop_once(manager: PluginManager) -> None:
    plan = QueryPlan(original="x", text="x")
    one, two = shop_of("red"), shop_of("red", "blue")
    with run(manager, "query_processors", "shop") as processor:
        with pytest.raises(Failure, match="is learning the shop's words") as caught:
            processor.process(plan, one)
        assert caught.value.effect == "undecided"
        processor.warm_up(one)
        for _ in range(2):
            assert processor.process(plan, one).text.endswith(":red:es")
        told = int(processor.process(plan, one).text.partition(":")[0])
        processor.warm_up(two)
        assert processor.process(plan, two).text == f"{told + 1}:red,blue:es"


def test_another_shop_reaches_it_behind_the_searches(manager: PluginManager) -> None:
    plan = QueryPlan(original="x", text="x")
    with run(manager, "query_processors", "shop") as processor:
        processor.warm_up(shop_of("red"))
        two = shop_of("blue")
        assert processor.process(plan, two).text.split(":")[1] in ("red", "blue")
        processor.warm_up(two)
        assert processor.process(plan, two).text.split(":")[1] == "blue"


def test_a_new_child_knows_the_shop(manager: PluginManager) -> None:
    with run(manager, "query_processors", "shop") as processor:
        processor.warm_up(shop_of("red"))
        again = ready_again(processor.keeper)
        kill_and_wait(processor.keeper)
        with pytest.raises(Failure, match="its process died of SIGKILL"):
            processor.process(QueryPlan(text="x"), processor._given)
        assert again.wait(GENEROUS_S)
        assert processor.process(QueryPlan(text="x"), processor._given).text == "1:red:es"


def test_an_unchanged_plan_is_the_very_plan(manager: PluginManager) -> None:
    plan = QueryPlan(text="x", filters={"price": {"lte": 5}})
    with run(manager, "query_processors", "p-same") as processor:
        processor.warm_up(shop_of("red"))
        assert processor.process(plan, processor._given) is plan


def test_the_shops_encoder_stays_in_the_server(manager: PluginManager) -> None:
    with run(manager, "query_processors", "p-encodes") as processor:
        processor.warm_up(shop_of("red"))
        with pytest.raises(Failure, match=r'text encoder is not there.*isolation = "thread"'):
            processor.process(QueryPlan(text="x"), processor._given)


@pytest.mark.parametrize(
    ("name", "options", "error", "words"),
    [
        ("unbuilt", {}, PluginError, "'unbuilt' cannot be built: OSError: no such price list"),
        ("dies-unbuilt", {}, PluginError, "cannot be started: its process exited with status 9"),
        ("sound", {"strong": 1}, InvalidSettings, "no option 'strong'; it knows: strength"),
        ("odd", {}, PluginError, "an answer that cannot be read: Invalid enum value 'pixels'"),
        ("nobody", {}, UnknownPlugin, "no ranker named 'nobody'"),
    ],
)
def test_what_cannot_be_built(
    manager: PluginManager, name: str, options: dict[str, Any], error: Any, words: str
) -> None:
    with pytest.raises(error, match=words), run(manager, "rankers", name, options=options):
        pytest.fail("it was built")


def test_searches_wait_for_their_turn_but_not_for_long(manager: PluginManager) -> None:
    """The wait says nothing against the component; the call that is under way goes on."""
    with run(manager, "rankers", "sound", deadline_s=0.05) as ranker:
        with ranker.keeper._turn, pytest.raises(Failure, match="busy with other") as caught:
            ranker.rank(batch())
        assert (caught.value.cause, caught.value.effect) == ("waiting", "undecided")
        assert ranker.keeper.pid is not None


def test_nobody_waits_for_another_child(manager: PluginManager) -> None:
    with run(manager, "rankers", "dies") as ranker:
        keeper: Keeper = ranker.keeper
        again = ready_again(keeper)
        with pytest.raises(Failure, match="exited with status 7"):
            ranker.rank(batch())
        assert keeper.pid is None
        with pytest.raises(Failure, match="its process is being started") as caught:
            ranker.rank(batch())
        assert caught.value.effect == "undecided"
        assert again.wait(GENEROUS_S)
        assert keeper.pid is not None


def test_a_child_that_cannot_be_started_again_is_tried_when_asked(
    manager: PluginManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run(manager, "rankers", "sound") as ranker:
        keeper: Keeper = ranker.keeper
        recipe = keeper._recipe
        keeper._recipe = msgspec.structs.replace(recipe, name="unbuilt")
        tried = after_start(keeper, monkeypatch)
        kill_and_wait(keeper)
        with pytest.raises(Failure, match="died of SIGKILL"):
            ranker.rank(batch())
        assert tried.wait(GENEROUS_S)
        tried.clear()
        keeper._recipe = recipe
        with pytest.raises(Failure, match="cannot be built: OSError") as caught:
            ranker.rank(batch())
        assert caught.value.effect == "opens"  # so that the breaker spaces the tries
        assert tried.wait(GENEROUS_S)
        np.testing.assert_array_equal(ranker.rank(batch()), batch().scores)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Done(), "killed, for its process answered Done instead of Numbers"),
        (Numbers("<f4", (3,), b"1234"), "killed, for its process sent cannot reshape"),
    ],
)
def test_an_answer_to_something_else_costs_the_process(
    manager: PluginManager, monkeypatch: pytest.MonkeyPatch, answer: Any, words: str
) -> None:
    with run(manager, "rankers", "sound") as ranker:
        keeper: Keeper = ranker.keeper
        again, before = ready_again(keeper), keeper.pid
        monkeypatch.setattr(keeper._child, "ask", lambda question, within_s: answer)
        with pytest.raises(Failure, match=words) as caught:
            ranker.rank(batch())
        assert (caught.value.cause, caught.value.effect) == ("crash", "opens")
        assert again.wait(GENEROUS_S)
        assert keeper.pid not in (None, before)
        np.testing.assert_array_equal(ranker.rank(batch()), batch().scores)


def test_where_no_process_can_be_started(
    manager: PluginManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: Any, **named: Any) -> Any:
        raise BlockingIOError("Resource temporarily unavailable")

    monkeypatch.setattr("engine.child_process.subprocess.Popen", full)
    words = "cannot be started: Resource temporarily unavailable"
    with pytest.raises(PluginError, match=words), run(manager, "rankers", "sound"):
        pytest.fail("it was started")
    with pytest.raises(PluginError, match=words):
        offers_of("faulty")


def test_it_ends_with_its_server(manager: PluginManager, tmp_path: Path) -> None:
    """Even one that never looks at its socket, when the server is killed without a word."""
    script = tmp_path / "server.py"
    script.write_text(
        textwrap.dedent(
            """
            from engine import PluginManager
            from engine.isolation import isolated
            from tests.engine.test_isolation import batch

            with isolated(PluginManager(), "rankers", "spins-aloud", deadline_s=600) as ranker:
                print(ranker.keeper.pid, flush=True)
                ranker.rank(batch())
            """
        )
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    pipe = subprocess.PIPE
    command = [sys.executable, str(script)]
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, env=env, text=True) as server:
        assert server.stdout is not None
        assert server.stderr is not None
        child = int(server.stdout.readline())
        while "spinning" not in (line := server.stderr.readline()):
            assert line, "the server ended"
        watch = os.pidfd_open(child)
        server.kill()
        # It is nobody's child now and cannot be waited for; its descriptor tells.
        assert select.select([watch], [], [], GENEROUS_S)[0]
        os.close(watch)


def test_it_ends_with_the_block(manager: PluginManager) -> None:
    with run(manager, "rankers", "sound") as ranker:
        child = ranker.keeper.pid
        os.kill(child, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    assert not ranker.keeper._thread.is_alive()


def test_what_it_logs_is_seen(
    manager: PluginManager, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with run(manager, "query_processors", "p-encodes") as processor:
        processor.warm_up(shop_of("red"))
    assert "p-encodes does not cope with an empty query" in capfd.readouterr().err


def kill_and_wait(keeper: Keeper) -> None:
    """As the kernel does when memory is short."""
    assert keeper.pid is not None
    watch = os.pidfd_open(keeper.pid)
    os.kill(keeper.pid, signal.SIGKILL)
    os.waitid(os.P_PIDFD, watch, os.WEXITED | os.WNOWAIT)
    os.close(watch)


def ready_again(keeper: Keeper) -> threading.Event:
    """Set when the next child is ready."""
    ready = threading.Event()
    keeper.when_ready(lambda _: ready.set())
    return ready


def after_start(keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set each time the keeper has tried to start a child."""
    tried, start = threading.Event(), keeper._start

    def both() -> None:
        start()
        tried.set()

    monkeypatch.setattr(keeper, "_start", both)
    return tried
