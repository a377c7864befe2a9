"""Redaction: no entity of a mail is in what a model is shown, and the sense of the text is."""

from __future__ import annotations

import re
import time
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.analysis import Mail, analyse
from workers.analysis.headers import Address
from workers.analysis.llm.redaction import Redactor
from workers.analysis.llm.shown_mail import show
from workers.analysis.llm.spelling import plain

TODAY = date(2026, 11, 18)
OURS = ("soporte@acme.example",)


def redacted(text: str, language: str = "es", **known: object) -> str:
    return Redactor(language, TODAY).redact(plain(text), **known)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Escríbeme a ana@cliente.example.", "Escríbeme a [EMAIL_1]."),
        ("Llámame al 915 550 123 o al 915 550 123", "Llámame al [PHONE_1] o al [PHONE_1]"),
        ("Son 1.200,50 € en total", "Son [AMOUNT_1] en total"),
        ("Cuenta ES91 2100 0418 4502 0005 1332", "Cuenta [IBAN_1]"),
        ("Mi NIF: 12345678Z, gracias", "Mi NIF: [VAT_ID_1], gracias"),
        ("Mira https://banco.example/x?id=1 ya", "Mira [URL_1] ya"),
        ("El pedido PED-20931 no llega", "El pedido [REFERENCE_1] no llega"),
        ("Nos vemos mañana", "Nos vemos [DATE_1_SOON]"),
        ("Fue el 3 de octubre de 2026", "Fue el [DATE_1_PAST]"),
        ("Será el 24 de diciembre de 2026", "Será el [DATE_1_LATER]"),
        ("ana＠cliente.example", "[EMAIL_1]"),
        ("an\u200ba@cliente.example", "[EMAIL_1]"),
        ("código 48213377", "código [NUMBER_1]"),
        ("el 91 55 50 12 3", "el [NUMBER_1]"),
        ("bit.ly/3xYz entra", "[URL_1] entra"),
        ("Quedan 2 días y 15 minutos", "Quedan 2 días y 15 minutos"),
        ("Escrito [NAME_1] aposta", "Escrito (NAME_1) aposta"),
    ],
)
def test_each_kind_has_its_mark(text: str, shown: str) -> None:
    assert redacted(text) == shown


def test_names_of_the_writer_are_taken_out_however_they_are_written() -> None:
    text = "Soy ANA RUIZ.\nUn saludo,\nAna María Ruíz\n(ruiz, de Cliente)"
    shown = redacted(text, names=[["Ana María Ruiz", "Ana", "María", "Ruiz"]])
    assert shown == "Soy [NAME_1].\nUn saludo,\n[NAME_1]\n([NAME_1], de Cliente)"


def test_what_was_found_before_goes_wherever_it_stands() -> None:
    shown = redacted("El viernes, o sea VIERNES.", known=[("date", "viernes", "2026-11-20")])
    assert "iernes" not in shown.lower()


def test_more_entities_than_one_look_finds() -> None:
    text = " ".join(f"a{number}@x{number}.example" for number in range(700))
    assert "@" not in redacted(text)


def a_mail(body: str, **changes: object) -> Mail:
    given = {
        "id": "m",
        "subject": "RE: Factura 2026-118 de Ana",
        "body": body,
        "sender": Address("Ana Ruiz Peña", "ana.ruiz@cliente.example"),
        "to": (Address("Soporte", OURS[0]),),
        "cc": (Address("Luis Gómez", "lgomez@cliente.example"),),
        "received_at": datetime(2026, 11, 18, tzinfo=UTC),
    }
    return Mail(**{**given, **changes})  # type: ignore[arg-type]


def test_a_mail_is_shown_without_who_wrote_it() -> None:
    mail = a_mail("Hola, soporte: soy Ana, copio a Luis. Ver www.cliente.example y el pedido 118-22.")
    shown = show(mail, analyse(mail), ours=OURS, redact=True)
    text = str(shown.facts).lower()
    assert not [
        secret for secret in ("ana", "ruiz", "peña", "luis", "gómez", "cliente", "118") if secret in text
    ]
    assert "soporte" in text
    assert set(shown.facts) == {"subject", "text", "language"}


def test_without_redaction_the_writer_is_shown() -> None:
    mail = a_mail("Llámame al 915 550 123")
    shown = show(mail, analyse(mail), ours=OURS, redact=False)
    assert shown.facts["from"] == "Ana Ruiz Peña <ana.ruiz@cliente.example>"
    assert shown.facts["text"] == "Llámame al 915 550 123"
    assert shown.originals == {}


def test_history_below_the_new_text_is_not_shown() -> None:
    mail = a_mail(
        "De acuerdo, adelante con ello cuando queráis.\n\nEl lun, 3 nov 2026, Luis escribió:\n> secreto viejo"
    )
    assert "secreto" not in str(show(mail, analyse(mail), ours=OURS, redact=True).facts)


@pytest.mark.parametrize(
    "body",
    ["a@b.cd " * 1500, "1 " * 5000, "www." * 3000, "x" * 8000 + "@", "[" * 9000 + "1" * 9000, "ñ1" * 5000],
)
def test_hostile_text_is_redacted_in_time(body: str) -> None:
    mail = a_mail(body)
    analysis = analyse(mail)
    started = time.thread_time()
    show(mail, analysis, ours=OURS, redact=True)
    assert time.thread_time() - started < 0.5


def test_hostile_names_are_taken_out_in_time() -> None:
    words = " ".join(f"Nombre{chr(97 + n % 26)}{chr(97 + n // 26 % 26)}" for n in range(2000))
    crowd = tuple(Address(f"{words[n * 40 : n * 40 + 5000]} ñ", f"a.b.c{n}@x.example") for n in range(100))
    mail = a_mail("Saludos, ñ. " + words, sender=Address(words * 10, "x" * 5000 + "@y.example"), cc=crowd)
    analysis = analyse(mail)
    started = time.thread_time()
    show(mail, analysis, ours=OURS, redact=True)
    assert time.thread_time() - started < 1.0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["ana@x.example", "915 550 123", "ES9121000418450200051332", "12345678Z", "12,50 €", "mañana",
             "https://x.example/a", "PED-20931", "el lunes", "[NAME_1]", "(", ".", "\n", "y", "¿", "1", "€"]
        ),
        max_size=30,
    ),
    st.sampled_from([" ", "", ",", "\n", "/"]),
)  # fmt: skip
def test_no_entity_of_the_analysis_is_left(pieces: list[str], between: str) -> None:
    mail = a_mail("Texto: " + between.join(pieces))
    analysis = analyse(mail)
    shown = show(mail, analysis, ours=OURS, redact=True)
    text = f"{shown.facts['subject']}\n{shown.facts['text']}"
    for entity in analysis.entities:
        assert not re.search(rf"(?<!\w){re.escape(plain(entity.text))}(?!\w)", text)
