"""The server's paths: the page and its parts, the API, pages that were made."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cache
from importlib import resources
from typing import Any

import anyio
import anyio.to_thread
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ..errors import UsageError
from ..geometry.concepts.checks import FUNCTIONS
from ..geometry.concepts.pairs import names
from ..geometry.heads.unembedding import Unembedding
from ..geometry.space import SPACES
from ..geometry.tokens.scripts import SCRIPTS
from ..geometry.views.html import filled, part
from ..geometry.views.page_parts import table_tool
from .api import MOST_FILE, MOST_JSON, WAYS, Way
from .guard import MADE_POLICY
from .maps import first_view
from .openapi import document
from .pictures import artists, picture
from .served import Served, can_run_models
from .work import Line, Work

_BODY_SECONDS = 60.0  # in which a body has come
_KINDS = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}
_SHARED = ("dom.js", "table.js", "page.css", "report.css")  # of the pages that are saved


def app(
    heads: Mapping[str, Unembedding],
    *,
    version: str,
    stopping: Callable[[], bool] = lambda: False,
) -> Starlette:
    """Make the server's application; `Guard` stands before it.

    Parameters
    ----------
    heads : mapping of str to Unembedding
        What is served, by the names of the sources.
    version : str
        Of the library.
    stopping : callable
        As of `Work`.

    Examples
    --------
    >>> import unembed
    >>> made = app({"demo-bytes": unembed.open_head("demo-bytes")}, version="1.0")
    >>> [route.path for route in made.routes][:2]
    ['/', '/openapi.json']
    """
    served, work = Served(heads), Work(stopping)
    about = _about(served, version)

    @asynccontextmanager
    async def living(_: Starlette) -> AsyncIterator[None]:
        yield
        served.files.close()

    async def page(_: Request) -> Response:
        return Response(_index(), media_type="text/html")

    async def static(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _names():
            return PlainTextResponse("no such part\n", 404)
        return Response(_static(name), media_type=_KINDS["." + name.rpartition(".")[2]])

    @cache  # each view asks for it
    def described() -> bytes:
        return json.dumps(document(version)).encode()

    async def openapi(_: Request) -> Response:
        return Response(described(), media_type="application/json")

    async def sources(_: Request) -> Response:
        return JSONResponse(about)

    async def made(request: Request) -> Response:
        found = served.page(request.path_params["name"])
        if found is None:
            return PlainTextResponse("this page is held no more: ask again\n", 404)
        headers = {"content-security-policy": MADE_POLICY}
        return Response(found, media_type="text/html", headers=headers)

    async def glyph(request: Request) -> Response:
        found = await anyio.to_thread.run_sync(picture, request.path_params["name"])
        if found is None:
            return PlainTextResponse("no such picture\n", 404)
        headers = {"cache-control": "private, max-age=86400"}
        return Response(found, media_type="image/webp", headers=headers)

    async def file(request: Request) -> Response:
        try:
            content = await _body(request, MOST_FILE)
            ending = request.query_params.get("ending", "")
            name = await anyio.to_thread.run_sync(served.files.put, content, ending)
            return JSONResponse({"file": name})
        except _Unread as error:
            return _error(error.status, str(error))
        except UsageError as error:
            return _error(422, str(error))

    found = Starlette(
        routes=[
            Route("/", page),
            Route("/openapi.json", openapi),
            Route("/static/{name}", static),
            Route("/made/{name}.html", made),
            Route("/glyph/{name}.webp", glyph),
            Route("/api/sources", sources),
            Route("/api/file", file, methods=["POST"]),
            *(
                Route(f"/api/{way.name}", _Asked(way, served, work), methods=["POST"])
                for way in WAYS
            ),
        ],
        lifespan=living,
    )
    found.router.redirect_slashes = False  # a token would be lost on the way
    return found


class _Asked:
    """A question of the API: read, checked, answered, at once or in lines."""

    def __init__(self, way: Way, served: Served, work: Work) -> None:
        self._way, self._served, self._work = way, served, work

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        request = Request(scope, receive)
        try:
            question = await self._read(request)
        except _Unread as error:
            await _error(error.status, str(error))(scope, receive, send)
            return

        def call(telling: Any) -> Line:
            return self._way.answer(self._served, question, telling)

        if not self._way.long:
            found = await self._work.quick(receive, call)
            if found is not None:
                status, line = found
                await JSONResponse(line, status)(scope, receive, send)
            return
        headers = [(b"content-type", b"application/x-ndjson")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

        async def write(line: Line) -> None:
            body = json.dumps(line, ensure_ascii=False).encode() + b"\n"
            await send({"type": "http.response.body", "body": body, "more_body": True})

        await self._work.long(receive, call, write)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _read(self, request: Request) -> Any:
        """Read a question."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise _Unread(415, "a question is JSON: say so in Content-Type")
        body = await _body(request, MOST_JSON)
        try:
            return self._way.question.model_validate_json(body)
        except ValidationError as error:
            raise _Unread(*_wrong(error)) from error


class _Unread(Exception):
    """A request that is not answered, and why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def _body(request: Request, most: int) -> bytes:
    """Read a body that has a bound, in bounded time."""
    said = request.headers.get("content-length", "0")
    too_long = _Unread(413, f"more than {most:,} bytes; give less")
    if said.isdigit() and int(said) > most:
        raise too_long
    content = bytearray()
    try:
        with anyio.fail_after(_BODY_SECONDS):
            async for piece in request.stream():
                content += piece
                if len(content) > most:
                    raise too_long
    except ClientDisconnect as error:
        raise _Unread(400, "the body broke off") from error
    except TimeoutError as error:
        raise _Unread(400, f"the body did not come within {_BODY_SECONDS:g} s") from error
    return bytes(content)


def _wrong(error: ValidationError) -> tuple[int, str]:
    """Say what is wrong with a question: its first fault."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    if first["type"] == "json_invalid":
        return 400, f"the question is no JSON: {first['msg']}"
    place = ".".join(map(str, first["loc"])) or "the question"
    return 422, f"{place}: {first['msg']}"


def _error(status: int, message: str) -> JSONResponse:
    """Give an error as every error is given."""
    return JSONResponse({"error": {"message": message, "column": None}}, status)


def _about(served: Served, version: str) -> dict[str, Any]:
    """Say what is served, and what can be asked of it."""
    scripts = [name.lower() for name in SCRIPTS[:-3]]
    return {
        "sources": [
            {
                "source": name,
                "tokens": head.rows.count,
                "width": head.rows.width,
                "expression": expression,
                "map": region,
            }
            for name, head in served.heads.items()
            for expression, region in [first_view(head)]
        ],
        "spaces": list(SPACES),
        "regions": ["emoji", "words", "bytes", *scripts],
        "functions": list(FUNCTIONS),
        "directions": list(names()),
        "models": can_run_models(),
        "artists": list(artists()),
        "version": version,
    }


@cache
def _index() -> bytes:
    """Give the page, with the table of an audit that the saved pages have too."""
    table = table_tool(
        kind="findings",
        sought="concept, token, nearest",
        chips="Verdicts shown",
        caption="Concepts; the buttons at the heads of columns sort them",
        at="audit-",
    )
    return filled(_static("index.html").decode(), {"audit_table": table})


@cache
def _static(name: str) -> bytes:
    """Read a part of the page."""
    if name in _SHARED:
        return part(name).encode()
    return resources.files(__package__).joinpath("static", name).read_bytes()


@cache
def _names() -> frozenset[str]:
    """Name the parts of the page."""
    own = resources.files(__package__).joinpath("static").iterdir()
    return frozenset(_SHARED) | {path.name for path in own if path.name != "index.html"}
