"""Who tries the API: each is answered as documented, and is told nothing that is not theirs."""

from __future__ import annotations

from tests.fuzzing.scene import BOXES, SUBJECT, Caller, Scene

SHARES = {
    "while-no-key-exists": 0.3,
    "key-of-the-service": 0.3,
    "key-of-another-organization": 0.25,
    "no-key": 0.15,
}
"""Their names, in the order in which one scene can have them, and the part of the time that each gets."""
# Refused before anything is looked at: no key, or no such path or method.
_GETS_NOWHERE = (401, 404, 405)
_THEIRS = (*BOXES, SUBJECT)


def caller_of(scene: Scene, name: str) -> Caller:
    """The caller of this name; makes the key that it has, or that others have."""
    match name:
        case "while-no-key-exists":
            return Caller(name)
        case "key-of-the-service":
            return Caller(name, scene.key())
        case "key-of-another-organization":
            return Caller(name, scene.key("--organization", "solo"), _THEIRS)
    scene.key()
    return Caller(name, forbidden=_THEIRS, statuses=_GETS_NOWHERE)
