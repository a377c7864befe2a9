"""What each organization has taught, ready for use in this process: read, or learned anew, once a version."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence

from workers import logs
from workers.analysis.learning import OWN, Adjustment, Example, Signature, fit, signature_of
from workers.analysis.mail import mail_from_row
from workers.analysis.model import load_classifier
from workers.organizations import Organization, Organizations, OwnExamples
from workers.store import Correction, Store

_log = logs.get_logger("learning")
# An adjustment takes some hundred kilobytes; most organizations of a process need none.
_MOST_HELD = 256
# What only seems so counts less than a person's word.
_WEIGHTS = {"person": 1.0, "category": 0.5, "folder": 0.5}


class Adjustments:
    """The adjustments in use, the least used ones dropped."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, Adjustment] = OrderedDict()
        self._one_at_a_time: dict[str, asyncio.Lock] = {}

    async def of(
        self, store: Store, organizations: Organizations, organization: Organization, version: int
    ) -> Adjustment | None:
        """The adjustment of this version of an organization's corrections, or a later one; None: of none.

        Costs nothing while the version stays; else a read of Redis, and some tenths of a second of a thread
        where nobody has learned it yet.
        """
        own = organizations.own_examples(organization)
        if not version and not own.digest:
            return None
        if (held := self._good(organization.id, version, own)) is not None:
            return held
        async with self._one_at_a_time.setdefault(organization.id, asyncio.Lock()):
            if (held := self._good(organization.id, version, own)) is not None:
                return held
            adjustment = await _read(store, organization.id, version, own)
            if adjustment is None:
                adjustment = await _learn(store, organization, own)
            self._held[organization.id] = adjustment
            while len(self._held) > _MOST_HELD:
                self._held.popitem(last=False)
            return adjustment

    def _good(self, organization_id: str, version: int, own: OwnExamples) -> Adjustment | None:
        held = self._held.get(organization_id)
        if held is None or not _is_good(held, version, own):
            return None
        self._held.move_to_end(organization_id)
        return held


def examples_of(corrections: Sequence[Correction], own: OwnExamples) -> list[Example]:
    """What an organization's corrections and the files of its own categories teach."""
    examples = []
    for correction in corrections:
        signature = Signature.from_bytes(correction.signature)
        if signature is not None:
            labels = {head: frozenset(classes) for head, classes in correction.labels.items()}
            examples.append(Example(signature, labels, _WEIGHTS[correction.source]))
    for name, rows in own.mails.items():
        examples += [Example(signature_of(mail_from_row(row)), {OWN: frozenset((name,))}) for row in rows]
    return examples


def _is_good(adjustment: Adjustment, version: int, own: OwnExamples) -> bool:
    return (
        adjustment.version >= version
        and adjustment.own == own.digest
        and adjustment.model == load_classifier().version
    )


async def _read(store: Store, organization_id: str, version: int, own: OwnExamples) -> Adjustment | None:
    packed = await store.corrections.adjustment(organization_id)
    if packed is None:
        return None
    adjustment = Adjustment.from_bytes(packed)
    return adjustment if adjustment is not None and _is_good(adjustment, version, own) else None


async def _learn(store: Store, organization: Organization, own: OwnExamples) -> Adjustment:
    started = time.perf_counter()
    version, corrections = await store.corrections.all(organization.id)

    def learn() -> Adjustment:
        names = tuple(sorted(organization.categories))
        return fit(examples_of(corrections, own), own=names, version=version, digest=own.digest)

    adjustment = await asyncio.to_thread(learn)
    await store.corrections.save_adjustment(organization.id, adjustment.to_bytes())
    _log.info(
        "learned",
        version=version,
        corrections=len(corrections),
        heads=sorted(adjustment.heads),
        ms=round((time.perf_counter() - started) * 1000),
    )
    return adjustment
