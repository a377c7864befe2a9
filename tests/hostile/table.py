"""All hostile requests."""

from __future__ import annotations

from tests.hostile import bodies, heads, paths, strangers
from tests.hostile.case import Case

FAMILIES: dict[str, tuple[Case, ...]] = {
    "heads": tuple(heads.cases()),
    "paths": tuple(paths.cases()),
    "bodies": tuple(bodies.cases()),
    "strangers": tuple(strangers.cases()),
}
TABLE = tuple(case for family in FAMILIES.values() for case in family)
