"""Who may ask the explorer, what its page may do, and what is never read."""

import gc
import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from starlette.testclient import TestClient
from unembed import Head, open_head
from unembed.cli import main
from unembed.errors import UsageError
from unembed.explorer.serving import listen, server_of

from .asked import JSON, Answer, Explorer, running

Make = Callable[..., Path]
NEAR = json.dumps({"source": "tiny", "expression": "king", "space": "logit"}).encode()
MAP = {"source": "tiny", "regions": ["emoji"], "space": "logit"}
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


@pytest.fixture
def head(make_checkpoint: Make) -> Head:
    return open_head(make_checkpoint())


@pytest.fixture
def explorer(head: Head) -> Iterator[Explorer]:
    with running({"tiny": head}) as explorer:
        yield explorer


@pytest.fixture
def framed(head: Head) -> Iterator[Explorer]:
    with running({"tiny": head}, framed=True) as explorer:
        yield explorer


def guarded(answer: Answer) -> bool:
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors" in policy
    return HEADERS.items() <= answer.headers.items() and "permissions-policy" in answer.headers


def message(answer: Answer) -> str:
    found = json.loads(answer.body)["error"]["message"]
    assert isinstance(found, str)
    return found


def near(explorer: Explorer, **headers: str) -> Answer:
    return explorer.send(f"{explorer.base}api/near", NEAR, **JSON, **headers)


def test_a_name_that_was_bound_to_this_machine_is_refused(explorer: Explorer) -> None:
    for host in (
        f"evil.com:{explorer.port}",
        "evil.com",
        f"localhost.evil.com:{explorer.port}",
        "127.0.0.1",
        f"127.0.0.1:{explorer.port + 1}",
        "",
    ):
        for path in ("/", "/openapi.json", "/static/dom.js", "/api/sources"):
            answer = explorer.send(path, Host=host)
            assert answer.status == 403
            assert guarded(answer)
        assert near(explorer, Host=host).status == 403


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]"])
def test_the_names_of_this_machine_are_answered(explorer: Explorer, name: str) -> None:
    host = f"{name}:{explorer.port}"
    assert explorer.send("/", Host=host).status == 200
    assert near(explorer, Host=host, Origin=f"http://{host}").status == 200


def test_a_browser_leaves_the_port_of_the_web_out(head: Head) -> None:
    class Bound:
        def getsockname(self) -> tuple[str, int]:
            return "127.0.0.1", 80

    served = server_of({"tiny": head}, Bound())  # type: ignore[arg-type]
    client = TestClient(served.server.config.app, base_url="http://localhost")  # type: ignore[arg-type]
    assert client.get("/").status_code == 200
    assert client.get("/", headers={"Host": "localhost:80"}).status_code == 200
    assert client.get("/", headers={"Host": "localhost:81"}).status_code == 403


def test_a_page_of_another_origin_is_refused(explorer: Explorer, framed: Explorer) -> None:
    for one in (explorer, framed):
        for origin in ("http://evil.com", "null", f"http://localhost:{one.port + 1}", "file://"):
            answer = near(one, Origin=origin)
            assert answer.status == 403
            assert guarded(answer)
        assert near(one, Origin=f"http://{one.host}").status == 200
        for site in ("cross-site", "same-site"):
            assert near(one, Sec_Fetch_Site=site, Sec_Fetch_Mode="cors").status == 403
            assert near(one, Sec_Fetch_Site=site, Sec_Fetch_Mode="no-cors").status == 403
            assert near(one, Sec_Fetch_Site=site).status == 403
        for site in ("same-origin", "none"):
            assert near(one, Sec_Fetch_Site=site, Sec_Fetch_Mode="cors").status == 200


def test_a_link_of_another_page_leads_here(explorer: Explorer) -> None:
    answer = explorer.send("/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")
    assert answer.status == 200
    # What a form of another page sends names where it is from.
    sent = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
    posted = explorer.send("/api/file?ending=.txt", b"sea", Origin="http://evil.com", **sent)
    assert posted.status == 403


def test_every_answer_bounds_what_a_page_may_do(
    explorer: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [
        explorer.send("/"),
        explorer.send("/static/main.js"),
        explorer.send("/static/page.css"),
        explorer.send("/openapi.json"),
        explorer.send("/api/sources"),
        near(explorer),
        explorer.send("/nothing"),
        explorer.send("/static/nothing.js"),
        explorer.send("/made/nothing.html"),
        explorer.send("/api/near", method="GET"),
        explorer.send("/api/near/", b"{}", **JSON),
        explorer.send("/api/near", b"{", **JSON),
        explorer.send("/api/near", b"sea"),
        explorer.send("/api/map", b"{}", **JSON),
        explorer.send("/api/vocab", b'{"source": "other"}', **JSON),
    ]
    statuses = [answer.status for answer in answers]
    assert statuses == [200] * 6 + [404] * 3 + [405, 404, 400, 415, 422, 200]
    assert all(map(guarded, answers))


def test_a_fault_of_the_server_bounds_a_page_too(
    explorer: Explorer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def wrong(*given: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("unembed.explorer.near.nearest", wrong)
    answer = near(explorer)
    assert answer.status == 500
    assert guarded(answer)
    assert b"ZeroDivision" not in answer.body


def test_with_a_token_nothing_is_answered_without_it(framed: Explorer) -> None:
    base = framed.base
    assert len(base) == 34
    wrong = f"/{'x' * 32}/"
    almost = base[:-2] + ("a" if base[-2] != "a" else "b") + "/"
    for start in ("/", wrong, almost, base[:-1], "/é/", "/%00/", base.upper() + "x/", "//"):
        for path in ("", "openapi.json", "static/main.js", "api/sources", "api/near"):
            if start + path in (base, base[:-1]):
                continue
            answer = framed.send((start + path).replace("é", "%C3%A9"))
            assert answer.status == 403
            assert base[1:-1].encode() not in answer.body
            assert guarded(answer)


def test_with_its_token_all_is_answered(framed: Explorer) -> None:
    base = framed.base
    page = framed.send(base)
    assert page.status == 200
    # What the page names is under the token, as it names it relatively.
    named = re.findall(r'(?:src|href)="([\w./]+)"', page.body.decode())
    assert len(named) > 1
    assert [name for name in named if framed.send(base + name).status != 200] == []
    assert near(framed).status == 200
    assert near(framed, Host="explorer.example").status == 200
    found = framed.ask("map", **MAP)
    assert framed.send(f"{base}made/{found['page']}.html").status == 200
    assert framed.send(f"/made/{found['page']}.html").status == 403


def test_only_notebooks_may_frame_a_page_that_has_a_token(
    explorer: Explorer, framed: Explorer
) -> None:
    def framers(one: Explorer) -> str:
        policy = one.send(one.base).headers["content-security-policy"]
        return policy.partition("frame-ancestors ")[2]

    assert framers(explorer) == "'self'"
    assert framers(framed).split() == [
        "'self'",
        "http://localhost:*",
        "http://127.0.0.1:*",
        "https:",
        "vscode-webview:",
    ]


def test_a_page_that_was_made_has_no_origin(explorer: Explorer) -> None:
    found = explorer.ask("map", **MAP)
    made = explorer.send(f"/made/{found['page']}.html")
    assert made.headers["content-security-policy"] == "sandbox allow-scripts allow-downloads"
    assert made.headers["content-type"] == "text/html; charset=utf-8"
    assert HEADERS.items() <= made.headers.items()
    assert near(explorer, Origin="null").status == 403


@pytest.mark.parametrize(
    "name",
    [
        "../app.py",
        "%2e%2e/app.py",
        "..%2fapp.py",
        "%2e%2e%2fapp.py",
        "..%5capp.py",
        "../__init__.py",
        "index.html",
        "page.html",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        ".",
        "..",
        "",
        "main.js%00",
        "MAIN.JS",
        "main.js/",
    ],
)
def test_only_parts_of_the_page_are_given(explorer: Explorer, name: str) -> None:
    assert explorer.send("/static/main.js").headers["content-type"].startswith("text/javascript")
    assert explorer.send(f"/static/{name}").status == 404


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_has_a_bound(
    explorer: Explorer, monkeypatch: pytest.MonkeyPatch, chunked: bool
) -> None:
    monkeypatch.setattr("unembed.explorer.app.MOST_JSON", 10_000)
    monkeypatch.setattr("unembed.explorer.app.MOST_FILE", 20_000)

    def sent(path: str, size: int) -> Answer:
        body = b" " * size
        pieces = (body[start : start + 4_000] for start in range(0, size, 4_000))
        return explorer.send(path, pieces if chunked else body, **JSON)

    assert sent("/api/near", 10_000).status == 400
    assert sent("/api/file?ending=.txt", 20_000).status == 200
    for path, size in (("/api/near", 10_001), ("/api/file?ending=.txt", 20_001)):
        answer = sent(path, size)
        assert answer.status == 413
        assert message(answer) == f"more than {size - 1:,} bytes; give less"
        assert guarded(answer)


def test_a_body_that_is_said_to_be_long_is_not_read(explorer: Explorer) -> None:
    with socket.create_connection(("127.0.0.1", explorer.port), timeout=20) as own:
        said = f"Host: {explorer.host}\r\nContent-Type: application/json\r\n"
        own.sendall(f"POST /api/near HTTP/1.1\r\n{said}Content-Length: 99999999\r\n\r\n{{".encode())
        assert own.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_body_has_its_time(explorer: Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unembed.explorer.app._BODY_SECONDS", 0.05)
    with socket.create_connection(("127.0.0.1", explorer.port), timeout=20) as own:
        said = f"Host: {explorer.host}\r\nContent-Type: application/json\r\n"
        own.sendall(f"POST /api/near HTTP/1.1\r\n{said}Content-Length: 9\r\n\r\n{{".encode())
        assert own.recv(100).startswith(b"HTTP/1.1 400 ")


def test_who_leaves_while_sending_disturbs_nobody(
    explorer: Explorer, caplog: pytest.LogCaptureFixture
) -> None:
    for path in ("/api/near", "/api/file?ending=.txt"):
        with socket.create_connection(("127.0.0.1", explorer.port), timeout=20) as own:
            said = f"Host: {explorer.host}\r\nContent-Type: application/json\r\n"
            own.sendall(f"POST {path} HTTP/1.1\r\n{said}Content-Length: 9\r\n\r\n{{".encode())
    assert near(explorer).status == 200
    explorer.stop()
    assert caplog.text == ""


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "json"])
def test_a_question_says_that_it_is_json(explorer: Explorer, kind: str) -> None:
    answer = explorer.send("/api/near", NEAR, Content_Type=kind)
    assert answer.status == 415
    assert "Content-Type" in message(answer)
    assert near(explorer).status == 200
    said = explorer.send("/api/near", NEAR, Content_Type="Application/JSON; charset=utf-8")
    assert said.status == 200


@pytest.mark.parametrize("body", [b"", b"{", b"sea", b"\xff\xfe", b'"\\ud800"', b"[" * 100_000])
def test_what_is_no_json_is_told(explorer: Explorer, body: bytes) -> None:
    answer = explorer.send("/api/near", body, **JSON)
    assert answer.status == 400
    assert message(answer).startswith("the question is no JSON")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"colour": 1}, "colour: Extra inputs"),
        ({"expression": None}, "expression: "),
        ({"top": "3"}, "top: "),
        ({"top": 3.5}, "top: "),
        ({"top": True}, "top: "),
        ({"top": 0}, "top: "),
        ({"top": 1001}, "top: "),
        ({"keep_inputs": 1}, "keep_inputs: "),
        ({"score": "nearness"}, "score: "),
        ({"expression": "x" * 2001}, "expression: "),
        ({"track": ["sea"] * 101}, "track: "),
        ({"temperature": 1e300}, "temperature: "),
        ({"space": "nowhere"}, "nowhere"),
        ({"source": "other"}, "'other' is not served"),
    ],
)
def test_a_word_that_is_unknown_or_wrong_is_told(
    explorer: Explorer, changed: dict[str, object], told: str
) -> None:
    answer = explorer.send("/api/near", json.dumps(json.loads(NEAR) | changed).encode(), **JSON)
    assert answer.status == 422
    assert told in message(answer)


def test_a_list_is_no_question(explorer: Explorer) -> None:
    answer = explorer.send("/api/near", b"[]", **JSON)
    assert answer.status == 422
    assert message(answer).startswith("the question: ")


def test_a_region_is_never_a_file(
    explorer: Explorer, head: Head, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").write_text("sea\nhorse\n")
    assert head.nearest("king", region=str(tmp_path / "secret"), space="logit").neighbours

    def told(region: str) -> list[str]:
        return [
            explorer.lines(way, source="tiny", space="logit", **given)[-1]["error"][
                "message"
            ].replace(region, "REGION")
            for way, given in (
                ("near", {"expression": "king", "region": region}),
                ("near", {"expression": "king", "exclude_region": region}),
                ("map", {"regions": [region]}),
                ("map", {"exclude_region": region}),
                ("audit", {"concepts": ["sea"], "region": region}),
                ("explain", {"expression": "king", "among": region}),
                ("compare", {"other": "tiny", "region": region}),
            )
        ]

    for there, absent in (
        (str(tmp_path / "secret"), str(tmp_path / "nothing")),
        ("./secret", "./nothing"),
        ("secret", "nothing"),
        ("/etc/passwd", "/etc/passwords"),
    ):
        assert told(there) == told(absent)


def test_a_file_that_was_never_given_is_not_read(explorer: Explorer, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("sea\n")
    never = "0" * 64 + ".txt"
    (found,) = explorer.lines("audit", source="tiny", file=never)[-1:]
    assert found["error"]["message"] == "the file is held no more; give it again"
    for name in (str(tmp_path / "list.txt"), "../list.txt", never + "/../../list.txt", ""):
        answer = explorer.post("audit", source="tiny", file=name)
        assert answer.status_code == 422
    for ending in ("", "txt", ".py", ".txt/../x", ".TXT"):
        assert explorer.send(f"/api/file?ending={ending}", b"sea").status == 422


def test_a_port_that_is_taken_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1, port {port}: Address"):
            listen(port=port)


def test_a_port_is_taken_before_it_serves() -> None:
    first = listen(port=0)
    try:
        with pytest.raises(UsageError, match="Address already in use"):
            listen(port=first.getsockname()[1])
    finally:
        first.close()


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("nowhere.invalid", 0),
        ("192.0.2.1", 0),
        ("127.0.0.1", 70_000),
        ("127.0.0.1", -1),
        ("x" * 300, 0),
    ],
)
def test_an_address_that_cannot_be_had_is_told(host: str, port: int) -> None:
    with pytest.raises(UsageError, match="cannot listen on"):
        listen(host, port)


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Give a function that runs a command that fails, and gives the line that says why."""

    def refused(*arguments: str) -> str:
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code not in (0, None)
        output = capsys.readouterr()
        assert output.out == ""
        return output.err

    return refused


def test_the_command_says_what_cannot_be_served(
    refused: Callable[..., str], make_checkpoint: Make, tmp_path: Path
) -> None:
    source = str(make_checkpoint())
    assert "named twice" in refused("serve", source, source)
    assert "of one source" in refused("serve", source, "demo", "--tensor", "x")
    assert "cannot listen" in refused("serve", source, "--port", "70000")
    assert "Missing argument" in refused("serve")
    with closing(listen(port=0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"port {port}" in refused("serve", source, "--port", port)
    # What was taken for heads that cannot be opened is free again.
    assert str(tmp_path / "no") in refused("serve", str(tmp_path / "no"), "--port", port)
    gc.collect()
    listen(port=int(port)).close()


def test_an_address_for_all_has_the_name_of_the_machine_and_a_token(head: Head) -> None:
    with listen("0.0.0.0", port=0) as listening:  # noqa: S104
        made = server_of({"head": head}, listening)
        host, port = urlsplit(made.address).hostname, listening.getsockname()[1]
        assert (host, made.address.count("/")) == (socket.gethostname().lower(), 4)
        assert f":{port}/" in made.address
