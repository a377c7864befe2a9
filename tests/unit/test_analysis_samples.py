"""The demo's mails: what is legitimate is not called spam, and what is not, is."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.analysis.mail import mail_from_eml
from workers.analysis.understand import analyse
from workers.sandbox.mail_files import SAMPLES

SPAM = ("29-phishing", "30-advance", "31-pastillas", "32-paquete", "33-ceo", "34-seo")


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.eml")), ids=lambda sample: sample.stem)
def test_of_the_samples_only_the_frauds_are_called_spam(sample: Path) -> None:
    said = analyse(mail_from_eml(sample.read_bytes()))
    assert (said.category == "spam") == sample.name.startswith(SPAM), said.evidence
