"""Log lines: one form for everybody's, with the request's id and without secrets."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
import structlog

from lapel.bootstrap import open_database
from lapel.config import load_settings
from lapel.database.errors import Deadlock
from lapel.database.transaction import DatabaseTransaction
from lapel.logs import AccessLog, configure_logging

Lines = Callable[[], list[dict[str, object]]]


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Put the process's logging back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with warnings.catch_warnings():
        yield
        logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in ("httpcore", "httpx", "asyncio", "asyncpg"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    structlog.reset_defaults()


@pytest.fixture
def lines() -> Lines:
    """Logging as JSON, and what was logged so far."""
    stream = io.StringIO()
    configure_logging(level="info", form="json", stream=stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_a_json_object_with_event_level_logger_and_time(lines: Lines) -> None:
    structlog.get_logger("lapel.http").info("issued %s", "badge", count=3)
    (line,) = lines()
    assert (line["event"], line["level"], line["logger"], line["count"]) == ("issued badge", "info", "lapel.http", 3)
    assert str(line["timestamp"]).endswith("Z")


def test_a_logger_made_before_the_set_up_follows_it() -> None:
    logger = structlog.get_logger("lapel.early")
    stream = io.StringIO()
    configure_logging(form="json", stream=stream)
    logger.info("late")
    assert json.loads(stream.getvalue())["event"] == "late"


@pytest.mark.parametrize("name", ["uvicorn.error", "uvicorn.access", "alembic.runtime.migration", "any.library"])
def test_the_lines_of_libraries_take_the_same_form(lines: Lines, name: str) -> None:
    logging.getLogger(name).warning("Started on %s", "8000", extra={"color_message": "x", "pid": 7})
    (line,) = lines()
    assert (line["event"], line["logger"], line["level"], line["pid"]) == ("Started on 8000", name, "warning", 7)
    assert "color_message" not in line


def test_handlers_that_uvicorn_brought_do_not_write_twice() -> None:
    theirs = io.StringIO()
    logging.getLogger("uvicorn").addHandler(logging.StreamHandler(theirs))
    ours = io.StringIO()
    configure_logging(stream=ours)
    logging.getLogger("uvicorn.error").info("started")
    assert (theirs.getvalue(), len(ours.getvalue().splitlines())) == ("", 1)


def test_a_second_set_up_replaces_the_first() -> None:
    first, second = io.StringIO(), io.StringIO()
    configure_logging(stream=first)
    configure_logging(stream=second)
    structlog.get_logger("lapel").info("once")
    assert (first.getvalue(), second.getvalue().count("once")) == ("", 1)


def test_what_is_below_the_level_is_not_written(lines: Lines) -> None:
    structlog.get_logger("lapel").debug("quiet")
    logging.getLogger("any.library").debug("quiet")
    logging.getLogger("httpcore.connection").info("quiet")
    assert lines() == []


async def test_the_request_id_is_on_every_line_of_its_task_and_on_no_others(lines: Lines) -> None:
    async def request(number: str) -> None:
        structlog.contextvars.bind_contextvars(request_id=number)
        await asyncio.sleep(0)
        structlog.get_logger("lapel").info("ours", for_request=number)
        logging.getLogger("any.library").info("theirs")

    await asyncio.gather(request("a"), request("b"))
    structlog.get_logger("lapel").info("after")
    assert [(line["event"], line.get("request_id")) for line in lines()] == [
        ("ours", "a"),
        ("theirs", "a"),
        ("ours", "b"),
        ("theirs", "b"),
        ("after", None),
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"password": "hunter2"},
        {"Authorization": "hunter2"},
        {"x-api-key": "hunter2"},
        {"master_key": b"hunter2"},
        {"DATABASE_URL": "hunter2"},
        {"headers": {"cookie": "hunter2"}},
        {"deep": [{"token": ["hunter2"]}]},
        {"url": "postgresql://lapel:hunter2@db/lapel"},
        {"url": "postgresql://lapel:hunter:2@one,two/lapel"},
        {"detail": "no host for user=lapel password=hunter2 port=1"},
        {"header": "Bearer hunter2hunter2"},
        {"error": ValueError("postgresql://lapel:hunter2@db/lapel")},
        {"path": "/x?api_key=hunter2&y=1"},
    ],
)
def test_secrets_are_masked(lines: Lines, fields: dict[str, object]) -> None:
    structlog.get_logger("lapel").info("event", **fields)
    (line,) = lines()
    assert "hunter" not in json.dumps(line)
    assert "***" in json.dumps(line)


def test_secrets_in_the_text_of_libraries_and_in_tracebacks_are_masked(lines: Lines) -> None:
    try:
        raise ConnectionError("cannot reach postgresql://lapel:" + "hunter" + "2@db/lapel")
    except ConnectionError:
        logging.getLogger("any.library").exception("failed with %s", "Basic aHVudGVyMjpodW50ZXIy")
        structlog.get_logger("lapel").exception("failed")
    theirs, ours = lines()
    for line in (theirs, ours):
        assert "hunter2" not in str(line)
        assert "ConnectionError: cannot reach postgresql://lapel:***@db/lapel" in str(line["exception"])
    assert theirs["event"] == "failed with Basic ***"


def test_what_is_no_secret_stays(lines: Lines) -> None:
    structlog.get_logger("lapel").info("key made", key_id=7, api_key_id="k1", url="https://example.org/a@b", ok=True)
    (line,) = lines()
    assert (line["key_id"], line["api_key_id"], line["url"], line["ok"]) == (7, "k1", "https://example.org/a@b", True)


def test_a_text_without_utf8_loses_no_line(lines: Lines) -> None:
    structlog.get_logger("lapel").info("odd \ud800", value={"x": object}, data=b"\xff")
    assert lines()[0]["event"] == "odd \\ud800"


def test_on_a_console_a_strangers_text_is_one_line_without_terminal_sequences() -> None:
    stream = io.StringIO()
    configure_logging(form="console", stream=stream)
    structlog.get_logger("lapel").info("bad\n2020 [info] forged", path="/\x1b[2J", name="é\u2028x")
    logging.getLogger("any.library").info("bad\r\n\x1b[31mred")
    text = stream.getvalue()
    assert len(text.splitlines()) == 2
    assert "\x1b" not in text
    assert "é" in text


def test_on_a_console_a_traceback_keeps_its_lines_and_shows_no_variables() -> None:
    stream = io.StringIO()
    configure_logging(form="console", stream=stream)
    local_variable = "visible"
    try:
        raise ValueError("boom")
    except ValueError:
        structlog.get_logger("lapel").exception("failed")
    assert "\nValueError: boom" in stream.getvalue()
    assert local_variable not in stream.getvalue().replace('local_variable = "visible"', "")


def test_warnings_are_lines_too(lines: Lines) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("old thing", DeprecationWarning, stacklevel=1)
    assert "old thing" in str(lines()[0]["event"])


async def test_an_attempt_that_will_be_repeated_is_told_to_nobody_but_a_debugger(lines: Lines) -> None:
    database = open_database(load_settings({"SQLITE_FILE": ":memory:"}))
    logging.getLogger("asyncpg.pool").warning("Failed to restore the pool connection floor; retrying")

    async def lost_once(tx: DatabaseTransaction) -> int:
        if tx.attempt == 1:
            raise Deadlock
        return tx.attempt

    await database.connect()
    try:
        assert await database.run(lost_once) == 2
    finally:
        await database.disconnect()

    assert lines() == []


def test_of_warnings_of_one_kind_a_bad_hour_writes_a_few_a_minute(
    lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("lapel.logs.monotonic", lambda: now)
    log = structlog.get_logger("lapel.http")

    for number in range(1000):
        log.warning("unavailable", code="database_not_connected", request_id=number)
    log.warning("unavailable", code="database_outcome_unknown")
    log.error("request_failed")
    assert [line.get("code") for line in lines()[29:]] == ["database_not_connected", "database_outcome_unknown", None]
    now += 61
    log.warning("unavailable", code="database_not_connected")
    log.warning("unavailable", code="database_not_connected")

    assert [line.get("left_out_before") for line in lines()[-2:]] == [970, None]


def test_a_request_is_one_line_like_all_others(lines: Lines) -> None:
    structlog.get_logger("lapel.http").info("another")
    stream = io.StringIO()
    organisation = UUID("018f3c1a-0000-7000-8000-000000000001")
    for write in (AccessLog("json", stream=stream), AccessLog("console", stream=stream)):
        write(
            request_id="r1",
            method="GET",
            route="/v3/issuers/{issuer_id}",
            status=200,
            seconds=0.0123456,
            organisation=organisation,
            actor="api-key:7",
        )
    as_json, for_people = stream.getvalue().splitlines()

    line = json.loads(as_json)
    assert set(lines()[0]) <= set(line)  # event, level, logger, timestamp
    assert (line["event"], line["level"], line["logger"]) == ("request", "info", "lapel.access")
    assert (line["method"], line["route"], line["status"], line["ms"]) == ("GET", "/v3/issuers/{issuer_id}", 200, 12.35)
    assert (line["request_id"], line["organisation"], line["actor"]) == ("r1", str(organisation), "api-key:7")
    assert str(line["timestamp"]).endswith("Z")
    assert "route=/v3/issuers/{issuer_id} status=200 ms=12.35 request_id=r1" in for_people


def test_of_a_request_without_a_key_nobody_is_named() -> None:
    stream = io.StringIO()
    AccessLog("json", stream=stream)(
        request_id="r1", method="GET", route="/", status=200, seconds=0.1, organisation=None, actor=None
    )
    assert not {"organisation", "actor"} & set(json.loads(stream.getvalue()))


def test_a_log_that_nobody_reads_any_more_fails_no_request() -> None:
    stream = io.StringIO()
    stream.close()
    AccessLog("json", stream=stream)(
        request_id="r1", method="GET", route="/", status=200, seconds=0.1, organisation=None, actor=None
    )
