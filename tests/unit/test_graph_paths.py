"""Paths with odd ids, and the bounded names they have in metrics."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.graph import paths
from workers.graph.subscriptions import resource_of, same_resource


@given(st.text(min_size=1))
def test_an_id_is_one_segment_and_comes_back_whole(identifier: str) -> None:
    segments = paths.message("a@b.example", identifier).split("/")
    assert len(segments) == 5
    assert unquote(segments[4]) == identifier


@given(st.text(min_size=1), st.text(min_size=1))
def test_the_name_of_an_endpoint_never_shows_an_id(mailbox: str, identifier: str) -> None:
    path = f"{paths.message(f'{mailbox}@x', f'{identifier}=')}/move"
    assert paths.endpoint_of(path) == "/users/{id}/messages/{id}/move"


@pytest.mark.parametrize(
    "spelled",
    [
        "users/ana@a.es/mailFolders('inbox')/messages",
        "/Users('ana%40a.es')/mailFolders/Inbox/messages",
        "users/ana@a.es/mailFolders('inbox')/messages?$select=id",
    ],
)
def test_a_resource_is_the_same_however_graph_spells_it(spelled: str) -> None:
    ours = resource_of("ana@a.es", "inbox")
    assert same_resource(spelled, ours)
    assert not same_resource(spelled, resource_of("eva@a.es", "inbox"))
    assert not same_resource(spelled, resource_of("ana@a.es", "archive"))


def test_options_are_encoded_and_their_names_are_not() -> None:
    assert paths.query({"$filter": "a eq 'x+y'"}) == "?$filter=a%20eq%20%27x%2By%27"
    assert paths.query({}) == ""


def test_well_known_folders_keep_their_names() -> None:
    path = paths.folder("a@b.example", "inbox") + "/messages/delta?$deltatoken=secret"
    assert paths.endpoint_of(path) == "/users/{id}/mailFolders/inbox/messages/delta"
    assert paths.endpoint_of(paths.folder("a", "AAMk=")) == "/users/{id}/mailFolders/{id}"
