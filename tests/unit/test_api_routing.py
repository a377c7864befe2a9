"""A path that is written out goes before one with a parameter, whatever the method."""

from __future__ import annotations

import pytest
from aiohttp import web

from api.app import ROUTE_TABLE
from api.routing import pattern_of

PATHS = {route.path for route in ROUTE_TABLE}


def test_parameters_do_not_take_the_words_of_other_paths() -> None:
    table = {"/letters/retry", "/letters/all", "/letters/{id}", "/letters/{id}/retry", "/jobs/{id}"}
    assert pattern_of("/letters/{id}", table) == "/letters/{id:(?!(?:all|retry)(?:/|$))[^{}/]+}"
    for path in table - {"/letters/{id}"}:
        assert pattern_of(path, table) == path


@pytest.mark.parametrize("path", sorted(PATHS))
def test_the_router_shows_every_path_as_it_is_documented(path: str) -> None:
    resource = web.UrlDispatcher().add_resource(pattern_of(path, PATHS))
    assert resource.canonical == path
