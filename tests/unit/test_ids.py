"""Ids that we make."""

from __future__ import annotations

import subprocess
import sys
from uuid import RFC_4122, UUID

from workers.ids import new_id

_FORK = """
import os
from workers.ids import new_id
new_id()
if (child := os.fork()):
    os.waitpid(child, 0)
print(new_id(), flush=True)
"""


def test_each_is_a_random_uuid_and_new() -> None:
    made = [new_id() for _ in range(2000)]
    assert len(set(made)) == len(made)
    for text in made:
        uuid = UUID(text)
        assert (str(uuid), uuid.version, uuid.variant) == (text, 4, RFC_4122)


def test_a_child_process_makes_others_than_its_parent() -> None:
    said = subprocess.run([sys.executable, "-c", _FORK], capture_output=True, text=True, check=True).stdout
    of_the_child, of_the_parent = said.split()
    assert of_the_child != of_the_parent
