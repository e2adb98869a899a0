"""The document of the API, from the questions themselves."""

from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import models_json_schema

from ..geometry.answer import Neighbours
from .api import MOST_FILE, WAYS, Way
from .kept import ENDINGS

_REF = "#/components/schemas/{model}"
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "column"],
            "properties": {
                "message": {"type": "string", "description": "What is wrong, and the way out."},
                "column": {
                    "type": ["integer", "null"],
                    "description": "Where in the expression, from 1.",
                },
            },
        }
    },
}
_PROGRESS = {
    "type": "object",
    "required": ["step", "done", "total"],
    "properties": {
        "step": {"type": "string"},
        "done": {"type": "integer"},
        "total": {"type": "integer", "description": "0 where it is not known."},
    },
}
_FAILURES = {
    "400": "The body is no JSON, or broke off.",
    "403": "Another page asks, or the token is missing.",
    "409": "The map is held no more; ask for it again.",
    "413": "The body is too long.",
    "415": "The body is not said to be JSON.",
    "422": "A word of the question is wrong, or what is asked cannot be.",
    "503": "Too much is waiting; ask again in a moment.",
    "504": "It took too long.",
}


def document(version: str) -> dict[str, Any]:
    """Give the OpenAPI document of the API.

    Parameters
    ----------
    version : str
        Of the library.

    Examples
    --------
    >>> found = document("1.0")
    >>> found["openapi"], sorted(found["paths"])[:3]
    ('3.1.0', ['/api/audit', '/api/compare', '/api/complete'])
    """
    questions = [(way.question, "validation") for way in WAYS]
    _, schemas = models_json_schema(questions, ref_template=_REF)  # type: ignore[arg-type]
    neighbours = TypeAdapter(Neighbours).json_schema(mode="serialization", ref_template=_REF)
    definitions = schemas["$defs"] | neighbours.pop("$defs")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "unembed explorer",
            "version": version,
            "description": "Questions about the heads that are served here. Answers to long ones "
            "come in lines of JSON: progress, parts, and last the answer or an error.",
        },
        "paths": {
            **{f"/api/{way.name}": {"post": _asked(way)} for way in WAYS},
            "/api/sources": {"get": _sources()},
            "/api/file": {"post": _file()},
        },
        "components": {
            "schemas": definitions
            | {"Neighbours": neighbours, "Error": _ERROR, "Progress": _PROGRESS}
        },
    }


def _asked(way: Way) -> dict[str, Any]:
    """Describe a question."""
    summary, _, _ = (way.question.__doc__ or "").partition("\n")
    lines = {
        "application/x-ndjson": {
            "schema": {
                "type": "string",
                "description": "A line: Progress, a part, the answer, or an Error.",
            }
        }
    }
    body = {"$ref": _REF.format(model=way.question.__name__)}
    return {
        "operationId": way.name,
        "summary": summary,
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "200": {"description": "The answer.", "content": lines if way.long else _whole(way)},
            **_failures(*_FAILURES),
        },
    }


def _whole(way: Way) -> dict[str, Any]:
    """Describe an answer that comes in one piece."""
    texts = {"type": "object", "additionalProperties": {"type": "string"}}
    parts: dict[str, dict[str, Any]] = {
        "near": {
            "answer": {"$ref": _REF.format(model="Neighbours")},
            "terms": _objects(weight={"type": "number"}, text={"type": "string"}),
            "forms": texts,
            "names": texts,
            "command": {"type": "string"},
            "python": {"type": "string"},
        },
        "complete": {
            "start": {"type": "integer"},
            "end": {"type": "integer"},
            "options": _objects(text={"type": "string"}, what={"type": "string"}),
        },
        "place": {
            "marks": _objects(
                name={"type": "string"},
                at={"type": "array", "items": {"type": "number"}},
                id={"type": "integer"},
                gap={"type": "integer"},
            )
        },
    }
    found = parts[way.name]
    schema = {"type": "object", "required": list(found), "properties": found}
    return {"application/json": {"schema": schema}}


def _objects(**properties: dict[str, Any]) -> dict[str, Any]:
    """Describe a list of objects."""
    one = {"type": "object", "required": list(properties), "properties": properties}
    return {"type": "array", "items": one}


def _failures(*statuses: str) -> dict[str, Any]:
    """Describe what may go wrong."""
    content = {"application/json": {"schema": {"$ref": _REF.format(model="Error")}}}
    return {
        status: {"description": _FAILURES[status]}
        | ({} if status == "403" else {"content": content})
        for status in statuses
    }


def _sources() -> dict[str, Any]:
    """Describe the list of sources."""
    named = {"type": "array", "items": {"type": "string"}}
    found = {
        "sources": _objects(
            source={"type": "string"},
            tokens={"type": "integer"},
            width={"type": "integer"},
            expression={"type": "string", "description": "Which one a page begins with."},
            map={"type": "string", "description": "Likewise."},
        ),
        "spaces": named,
        "regions": named,
        "functions": named,
        "directions": named,
        "models": {"type": "boolean", "description": "Whether prompts can be run."},
        "artists": named,
        "version": {"type": "string"},
    }
    schema = {"type": "object", "required": list(found), "properties": found}
    return {
        "operationId": "sources",
        "summary": "Which heads are served, and what can be asked of them.",
        "responses": {
            "200": {
                "description": "The list.",
                "content": {"application/json": {"schema": schema}},
            },
            **_failures("403"),
        },
    }


def _file() -> dict[str, Any]:
    """Describe how a file is given."""
    schema = {"type": "object", "required": ["file"], "properties": {"file": {"type": "string"}}}
    return {
        "operationId": "file",
        "summary": "Give a list of concepts or residuals, to be named in a question.",
        "parameters": [
            {
                "name": "ending",
                "in": "query",
                "required": True,
                "schema": {"type": "string", "enum": list(ENDINGS)},
            }
        ],
        "requestBody": {
            "required": True,
            "description": f"At most {MOST_FILE >> 20} MiB.",
            "content": {"application/octet-stream": {"schema": {}}},
        },
        "responses": {
            "200": {
                "description": "What the file is called.",
                "content": {"application/json": {"schema": schema}},
            },
            **_failures("400", "403", "413", "422"),
        },
    }
