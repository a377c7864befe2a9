"""What an erasure did, or in a dry run would do."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class FileFound:
    """A file outside Redis: rows that hold the correspondent, and rows that may (of the same domain)."""

    path: str
    rows: int
    perhaps: int = 0


@dataclass
class Erased:
    """Counts by what it is. Files are named, never changed."""

    dry_run: bool
    records: int = 0
    contents: int = 0
    journal_lines: int = 0
    job_results: int = 0
    kept_answers: int = 0
    reply_limits: int = 0
    dead_letters: int = 0
    webhook_deliveries: int = 0
    model_answers: int = 0
    corrections: int = 0
    in_hand: int = 0
    """Messages that have not ended: left as they are, for another run."""
    left: dict[str, int] = field(default_factory=dict)
    """Kind of key -> how many still name the address after all."""
    files: list[FileFound] = field(default_factory=list)
    not_searched: list[str] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        return not self.in_hand and not self.left

    def counts(self) -> dict[str, int]:
        """What was erased, by a name that people understand."""
        return {
            "ledger records emptied": self.records,
            "parked contents": self.contents,
            "journal lines": self.journal_lines,
            "results of API jobs": self.job_results,
            "kept answers of named requests": self.kept_answers,
            "limits on replies": self.reply_limits,
            "dead letters": self.dead_letters,
            "webhook deliveries in the log": self.webhook_deliveries,
            "answers of the language model": self.model_answers,
            "corrections learned from": self.corrections,
        }
