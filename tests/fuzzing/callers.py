"""Who tries the API, one after the other: keys are made on the way, so the order counts."""

from __future__ import annotations

from collections.abc import Iterator

from tests.fuzzing.scene import BOXES, SUBJECT, Caller, Scene

# Refused before anything is looked at: no key, or no such path or method.
_GETS_NOWHERE = (401, 404, 405)


def callers_of(scene: Scene) -> Iterator[tuple[Caller, float]]:
    """Each caller and its share of the time; to be tried before the next is asked for."""
    yield Caller("while-no-key-exists"), 0.3
    theirs = (*BOXES, SUBJECT)
    whole = scene.key()
    yield Caller("key-of-the-service", whole), 0.3
    yield Caller("key-of-another-organization", scene.key("--organization", "solo"), theirs), 0.25
    yield Caller("no-key", forbidden=theirs, statuses=_GETS_NOWHERE), 0.15
