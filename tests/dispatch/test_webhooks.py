"""Webhooks: signed, in order, never lost, never twice under two ids; on both databases."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from clock_fixture import Clock
from desk_made import ADMIN, LITTER, TRAFFIC, confirmed, dispatched
from receiver import KEY, Receiver, receiving

from detector.config.loop import Endpoint
from detector.config.settings import Settings
from detector.core.errors import BadInput
from detector.database import Database
from detector.dispatch import Desk
from detector.dispatch.webhooks import Delivered, deliver
from detector.issues.deliveries import Deliveries

pytest_plugins = ["database_fixture", "desk_fixture"]


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setenv("PLATFORM_KEY", KEY)
    with receiving() as made:
        yield made


def with_endpoint(settings: Settings, url: str, **more: object) -> Settings:
    assert settings.loop
    endpoint = Endpoint("platform", url, "PLATFORM_KEY", None, (), timeout_s=5.0, give_up_after=30)
    return replace(settings, loop=replace(settings.loop, endpoints=(replace(endpoint, **more),)))


def run(desk: Desk, database: Database, settings: Settings) -> Delivered:
    (done,) = deliver(database, settings, desk.now)
    return done


def test_every_move_is_told_once_as_a_signed_cloud_event(
    desk: Desk, database: Database, receiver: Receiver
) -> None:
    settings = with_endpoint(desk.settings, receiver.url)
    number = dispatched(desk)
    desk.rectify(TRAFFIC, number, "已劝离")
    assert run(desk, database, settings) == Delivered("platform", 4, 0, None)
    assert run(desk, database, settings) == Delivered("platform", 0, 0, None)
    assert [event["type"] for event in receiver.got] == [
        f"kerbwatch.issue.{move}" for move in ("filed", "confirm", "dispatch", "rectify")
    ]
    event = receiver.got[2]
    assert (event["specversion"], event["subject"], event["source"]) == (
        "1.0", f"issues/{number}", "/kerbwatch/example-county",
    )  # fmt: skip
    data = event["data"]
    assert data["code"] == {"code": "0505", "name": "机动车违停", "name_en": "Illegal parking"}
    assert (data["issue"]["state"], data["issue"]["department"]) == ("dispatched", "traffic_police")
    assert data["departments"][0] == {"id": "traffic_police", "name": "交警大队"}
    assert data["place"]["grid"] == desk.settings.point("p025").grid
    assert receiver.got[3]["data"]["note"] == "已劝离"
    assert receiver.headers[0]["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    assert receiver.wrong == []
    assert len(set(receiver.ids)) == 4


def test_a_receiver_that_is_down_for_a_day_gets_everything_in_order_under_the_same_ids(
    desk: Desk, database: Database, receiver: Receiver, clock: Clock
) -> None:
    settings = with_endpoint(desk.settings, receiver.url)
    down = with_endpoint(desk.settings, "http://127.0.0.1:9/nobody", timeout_s=1.0)
    number = confirmed(desk)
    asked = 0
    for _ in range(24):
        done = run(desk, database, down)
        asked += done.failed
        clock.at += timedelta(hours=1)
    assert 8 <= asked <= 24, "the waits grow to an hour"
    receiver.answer = lambda _: 503
    assert run(desk, database, settings).stopped == "answered 503 Service Unavailable"
    receiver.answer = lambda _: 204
    desk.dispatch(ADMIN, [number])
    clock.at += timedelta(hours=1)
    assert run(desk, database, settings).sent == 3
    assert [event["type"].rpartition(".")[2] for event in receiver.got] == [
        "filed",
        "filed",
        "confirm",
        "dispatch",
    ]
    assert receiver.ids[0] == receiver.ids[1]


def test_an_event_that_is_refused_for_good_is_put_aside_and_the_rest_goes_on(
    desk: Desk, database: Database, receiver: Receiver, clock: Clock
) -> None:
    settings = with_endpoint(desk.settings, receiver.url)
    bad, good = confirmed(desk), confirmed(desk, **LITTER)
    receiver.answer = lambda e: (
        422 if e["subject"] == f"issues/{bad}" and e["type"].endswith("filed") else 204
    )
    assert run(desk, database, settings) == Delivered("platform", 2, 1, None)
    assert {event["subject"] for event in receiver.got if event["answered"] == 204} == {f"issues/{good}"}
    for _ in range(9):
        clock.at += timedelta(hours=1)
        run(desk, database, settings)
    state = Deliveries(database, clock).state("platform", ())
    assert (state.delivered, state.waiting, state.poison) == (3, 0, 1)
    assert state.last_error == "answered 422 Unprocessable Entity"
    refused = [event["id"] for event in receiver.got if event["answered"] == 422]
    assert len(refused) == 10
    assert len(set(refused)) == 1
    receiver.answer = lambda _: 204
    assert run(desk, database, settings).sent == 0
    assert Deliveries(database, clock).retry("platform") == 1
    assert run(desk, database, settings).sent == 1


def test_an_endpoint_is_told_of_the_moves_that_it_asks_for(
    desk: Desk, database: Database, receiver: Receiver
) -> None:
    settings = with_endpoint(desk.settings, receiver.url, moves=("dispatch",))
    dispatched(desk)
    assert run(desk, database, settings).sent == 1
    assert Deliveries(database, desk.now).state("platform", ("dispatch",)).waiting == 0


def test_a_missing_key_stops_before_anything_is_sent(
    desk: Desk, database: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirmed(desk)
    monkeypatch.setenv("PLATFORM_KEY", "short")
    with pytest.raises(BadInput, match="PLATFORM_KEY holds less than 16"):
        deliver(database, with_endpoint(desk.settings, receiver.url), desk.now)
    lost = with_endpoint(desk.settings, receiver.url, secret_env=None, secret_file="no.key")
    with pytest.raises(BadInput, match=r"no\.key cannot be read"):
        deliver(database, lost, desk.now)
    assert receiver.got == []


def test_a_redirect_is_followed_nowhere(desk: Desk, database: Database, receiver: Receiver) -> None:
    confirmed(desk)
    receiver.answer = lambda _: 302
    done = run(desk, database, with_endpoint(desk.settings, receiver.url))
    assert (done.sent, done.failed) == (0, 1)
    assert len(receiver.got) == 1


def test_two_that_deliver_at_once_send_nothing_twice(
    desk: Desk, database: Database, receiver: Receiver
) -> None:
    settings = with_endpoint(desk.settings, receiver.url)
    for start in range(0, 1000, 100):
        confirmed(desk, start, start + 5)
    threads = [threading.Thread(target=deliver, args=(database, settings, desk.now)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run(desk, database, settings)
    assert len(receiver.ids) == len(set(receiver.ids)) == 20


def test_old_events_are_removed_once_everybody_was_told(
    desk: Desk, database: Database, receiver: Receiver, clock: Clock
) -> None:
    settings = with_endpoint(desk.settings, receiver.url)
    dispatched(desk)
    deliveries = Deliveries(database, clock)
    later = clock.at + timedelta(days=40)
    assert deliveries.prune(later, ["platform"]) == 0, "nobody was told yet"
    run(desk, database, settings)
    assert deliveries.prune(clock.at - timedelta(days=1), ["platform"]) == 0
    assert deliveries.prune(later, ["platform"]) == 3
    assert desk.queue.events_after(0) == []


def dripping() -> Iterator[str]:
    """An endpoint that answers with one byte after another and never ends."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def drip() -> None:
            with suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    while True:
                        connection.sendall(b"H")
                        time.sleep(0.1)

        threading.Thread(target=drip, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        listener.shutdown(socket.SHUT_RDWR)


def test_an_endpoint_that_drips_is_given_up_and_holds_no_other(
    desk: Desk, database: Database, receiver: Receiver
) -> None:
    dispatched(desk)
    settings = with_endpoint(desk.settings, receiver.url)
    assert settings.loop
    (well,) = settings.loop.endpoints
    with contextmanager(dripping)() as url:
        slow = replace(well, name="slow", url=url, timeout_s=1.5)
        settings = replace(settings, loop=replace(settings.loop, endpoints=(slow, well)))
        began = time.monotonic()
        at: list[float] = []
        receiver.answer = lambda _event: at.append(time.monotonic() - began) or 204
        done = deliver(database, settings, desk.now)
    assert time.monotonic() - began < 10
    assert max(at) < 1.5
    assert [(one.endpoint, one.sent) for one in done] == [("slow", 0), ("platform", 3)]
    assert done[0].stopped == "took longer than 1.5 s"
