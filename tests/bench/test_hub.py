"""Hub data sets by name, from a rows service on this machine."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qsl, urlsplit

import pytest

from outthink.bench.data import load
from outthink.core.errors import InputError

TOTAL = 230


class Rows(BaseHTTPRequestHandler):
    """``GET /rows`` of one data set, as the public service answers it."""

    def do_GET(self):
        asked = dict(parse_qsl(urlsplit(self.path).query))
        self.server.asked.append(asked)
        if asked["dataset"] == "broken/one":
            return self.answer(200, b"<html>")
        if asked["dataset"] == "long/one":
            row = {"row": {"question": "Lo", "answer": "1"}, "truncated_cells": ["question"]}
            return self.answer(200, json.dumps({"rows": [row], "num_rows_total": 1}).encode())
        if asked["dataset"] != "maths/word-problems" or asked["config"] != "main":
            return self.answer(404, b'{"error": "not found"}')
        start, length = int(asked["offset"]), int(asked["length"])
        rows = [
            {"row_idx": i, "row": {"problem": f"{i} + {i}?", "answer": f"Twice {i}.\n#### {2 * i}"}}
            for i in range(start, min(start + length, TOTAL))
        ]
        return self.answer(200, json.dumps({"rows": rows, "num_rows_total": TOTAL}).encode())

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def service(monkeypatch):
    with HTTPServer(("127.0.0.1", 0), Rows) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("OUTTHINK_DATASETS", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield server
        server.shutdown()
        thread.join()


def test_all_pages_are_read_and_rationales_are_left_out(service):
    data = load("hub:maths/word-problems?config=main&split=train")
    assert [row.answer for row in data.rows] == [str(2 * i) for i in range(TOTAL)]
    assert data.rows[7].problem.question == "7 + 7?"
    assert {row.grader for row in data.rows} == {"number"}
    assert [int(asked["offset"]) for asked in service.asked] == [0, 100, 200]
    assert {asked["split"] for asked in service.asked} == {"train"}


def test_no_more_rows_are_read_than_were_asked_for(service):
    assert len(load("hub:maths/word-problems?config=main&rows=130").rows) == 130
    assert [asked["length"] for asked in service.asked] == ["100", "30"]


def test_the_fingerprint_is_that_of_the_content(service):
    few = "hub:maths/word-problems?config=main&rows=5"
    assert load(few).fingerprint == load(few).fingerprint
    assert load(few).fingerprint != load("hub:maths/word-problems?config=main&rows=6").fingerprint


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("hub:maths/nothing", "the hub answered 404; check the name, config and split"),
        ("hub:broken/one", "the hub's reply cannot be read"),
        ("hub:long/one", "row 1 is too long for the hub's service; get the data as a file"),
        ("hub:maths/word-problems?config=main&answer=gold", "say which columns to use.*there are problem, answer"),
        ("hub:maths/word-problems?rows=many", "is not understood; write hub:OWNER/NAME"),
        ("hub:maths/word-problems?size=3", "is not understood; write hub:OWNER/NAME"),
        ("hub:", "is not understood; write hub:OWNER/NAME"),
    ],
)
def test_what_cannot_be_had_is_told_with_a_remedy(service, source, message):
    with pytest.raises(InputError, match=message):
        load(source)


def test_a_hub_out_of_reach_is_told_with_a_remedy(monkeypatch):
    monkeypatch.setenv("OUTTHINK_DATASETS", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(InputError, match=r"the hub cannot be reached .*; check the name.*or save the rows"):
        load("hub:maths/word-problems")
