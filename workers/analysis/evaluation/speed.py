"""How long the analysis of a mail takes, what it costs to start, and what hostile mail can do to it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from time import process_time

import orjson

from workers.analysis.evaluation.section import Section
from workers.analysis.mail import Mail, mail_from_eml
from workers.analysis.training_data import corpus_examples
from workers.analysis.understand import analyse

TYPICAL_CHARS = 2_000
_ROUNDS = 3
# What a worker has loaded anyway is not counted: redis, dramatiq and orjson come before the analysis.
_START = """
import time, resource
import dramatiq, orjson, redis, structlog
def used(): return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 1e6
before, started = used(), time.process_time()
from workers.analysis import analyse, mail_from_row
analyse(mail_from_row({"subject": "Factura 42", "body": "Adjunto la factura. Tel. 912 345 678, 12,50 EUR"}))
print(time.process_time() - started, used() - before)
"""


def speed_section() -> Section:
    """Milliseconds a mail of 2 kB, start-up, memory, and the slowest of the hostile mails."""
    section = Section("Speed")
    times = sorted(_typical_times())
    median, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
    started = subprocess.run([sys.executable, "-c", _START], capture_output=True, text=True, check=True)
    start_s, memory_mb = map(float, started.stdout.split())
    section.table(
        f"Raw message of {TYPICAL_CHARS} characters to JSON line, {len(times)} mails, one core",
        ("median ms", "p99 ms", "start-up s", "memory MB"),
        [(median, p99, start_s, memory_mb)],
    )
    hostile = [(name, *_hostile_time(mail)) for name, mail in hostile_mails()]
    section.table("Hostile mail", ("mail", "ms", "cut"), hostile)
    section.figures = {
        "speed.median_ms": median,
        "speed.p99_ms": p99,
        "speed.start_s": start_s,
        "speed.memory_mb": memory_mb,
        "speed.worst_hostile_ms": max(ms for _, ms, _ in hostile),
    }
    return section


def _typical_times() -> Iterator[float]:
    messages = list(_typical_messages())
    for _ in range(_ROUNDS):
        for raw in messages:
            started = process_time()
            orjson.dumps(analyse(mail_from_eml(raw)).to_dict())
            yield (process_time() - started) * 1000


def _typical_messages() -> Iterator[bytes]:
    """Mails of our corpus filled up to 2 kB with others of their language, every other one as HTML."""
    languages = ("en", "es")
    examples = [example for example in corpus_examples() if example.language in languages]
    bodies = {
        language: [e.row["body"] for e in examples if e.language == language and len(e.row["body"]) > 300]
        for language in languages
    }
    for number, example in enumerate(examples[::4]):
        others = bodies[example.language]
        text = "\n\n".join([example.row["body"], *(others[(number * 7 + n) % len(others)] for n in range(7))])
        message = EmailMessage()
        message["From"] = "Ana Ruiz <ana.ruiz@cliente.example>"
        message["To"] = "info@empresa.example"
        message["Subject"] = " ".join(example.row["subject"].split())
        message["Date"] = "Fri, 20 Nov 2026 10:00:00 +0100"
        message.set_content(text[:TYPICAL_CHARS])
        if number % 2:
            lines = "".join(f"<p>{line}</p>" for line in text[:TYPICAL_CHARS].split("\n"))
            message.add_alternative(f"<html><body>{lines}</body></html>", subtype="html")
        yield message.as_bytes()


def _hostile_time(mail: Mail) -> tuple[float, str]:
    started = process_time()
    said = analyse(mail)
    return (process_time() - started) * 1000, "; ".join(said.notes)


def hostile_mails() -> Iterator[tuple[str, Mail]]:
    """Mails made to be slow, by name."""
    yield "10 MB of one letter", Mail("1", "a", "a" * 10_000_000)
    yield "10 MB of digits", Mail("2", "1", "1" * 10_000_000)
    yield "10 MB of spaces", Mail("3", "", " " * 10_000_000)
    yield "10 MB of line breaks", Mail("4", "", "\n" * 10_000_000)
    yield "1 MB of quote marks", Mail("5", "", "> " * 500_000)
    yield "1 MB of HTML, one letter", Mail("6", "", "<p>" + "a" * 1_000_000, "html")
    yield "10 MB of open brackets", Mail("7", "", "<" * 10_000_000, "html")
    yield "100,000 nested elements", Mail("8", "", "<div>" * 100_000 + "x", "html")
    yield "100,000 nested quotes", Mail("9", "", "<blockquote>" * 100_000 + "x", "html")
    yield "100,000 nested tables", Mail("10", "", "<table><tr><td>" * 100_000 + "x", "html")
    yield "20,000 unclosed fonts", Mail("24", "", "".join(f"<font a={n}><p>" for n in range(20_000)), "html")
    yield "50,000 ruby texts", Mail("25", "", "x<rb>x" * 50_000, "html")
    yield "10,000 addresses", Mail("11", "x", ", ".join(f"u{n}@d{n}.example" for n in range(10_000)))
    yield (
        "10,000 links",
        Mail("12", "", "".join(f"<a href='http://h{n}.example'>{n}</a>" for n in range(10_000)), "html"),
    )
    yield "10,000 amounts", Mail("13", "", " ".join(f"{n}.{n % 1000:03},50 EUR" for n in range(10_000)))
    yield "10,000 phone numbers", Mail("14", "", " ".join(f"+34 6{n:08}" for n in range(10_000)))
    yield (
        "10,000 dates",
        Mail("15", "", " ".join(f"{n % 28 + 1} de marzo de {2000 + n % 30}" for n in range(10_000))),
    )
    yield "digits and separators", Mail("16", "", "1.-/,:+(" * 125_000)
    yield "look-alike letters", Mail("17", "Раураl" * 50, "Vеrіfу уоur ассоunt " * 50_000)
    yield "direction overrides", Mail("18", "\u202egpj.exe" * 50, "\u202e\u2066abc\u2069\u202c " * 100_000)
    yield "invisible characters", Mail("19", "", "a\u200b" * 500_000)
    yield "combining accents", Mail("20", "", "a" + "\u0301" * 1_000_000)
    yield "emoji", Mail("21", "", "😀" * 500_000)
    yield "raw message, 1 MB of headers", mail_from_eml(b"X-A: b\r\n" * 125_000 + b"\r\nHola")
    yield (
        "raw message, 10,000 parts",
        mail_from_eml(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nHola\r\n" * 10_000),
    )
    yield "10 MB of one letter as subject", Mail("26", "a" * 10_000_000, "Hola")
    yield "10 MB of at signs", Mail("27", "", "@" * 10_000_000)
    yield "top-level domains", Mail("28", "", ".com" * 30_000)
    yield "links without a host", Mail("29", "", "www." * 30_000)
    yield "distances from no day", Mail("30", "", "3 days " * 15_000)
    yield "attribution lines", Mail("22", "", "El lun, Ana escribió:\n" * 40_000)
    yield "header blocks", Mail("23", "", "De: a\nEnviado: b\nAsunto: c\n" * 30_000)
