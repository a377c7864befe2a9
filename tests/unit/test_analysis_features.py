"""Single features: times that press, faces, denied feelings, disguised letters."""

from __future__ import annotations

import pytest

from workers.analysis.concepts import load_lexicon
from workers.analysis.features import dense_names, read_features
from workers.analysis.mail import mail_from_row
from workers.analysis.text import read_text


def shown(body: str, subject: str = "", sender: str = "") -> dict[str, float]:
    """The named features of a mail that are not zero."""
    mail = mail_from_row({"subject": subject, "body": body, "from": sender})
    dense = read_features(mail, read_text(mail)).dense
    return {name: float(value) for name, value in zip(dense_names(), dense, strict=True) if value}


@pytest.mark.parametrize(
    ("sign", "body"),
    [
        ("hours_left", "We close in two hours, please answer."),
        ("hours_left", "Lo necesito dentro de 3 horas."),
        ("hours_left", "Contesten en los próximos 30 minutos."),
        ("by_the_hour", "Please send it by 14:30."),
        ("by_the_hour", "I need it before 5 pm"),
        ("by_the_hour", "Mándalo antes de las 12.00, gracias"),
        ("by_the_hour", "It has to be there by noon"),
        ("since_the_hour", "Nothing works since 8:15 today."),
        ("since_the_hour", "No funciona desde las 9:40."),
        ("since_the_hour", "I need this right now"),
        ("glad_face", "Thanks a lot :-)"),
        ("glad_face", "Genial 🎉"),
        ("sad_face", "No me lo han mandado :("),
        ("sad_face", "otra vez igual 😡"),
        ("look_alike_letters", "I ḟeel sặd to ḁlert you"),
        ("look_alike_letters", "Verify your раssword"),
    ],
)
def test_a_sign_shows(sign: str, body: str) -> None:
    assert f"sign.{sign}" in shown(body)


@pytest.mark.parametrize(
    ("sign", "body"),
    [
        ("hours_left", "Our opening hours are listed on the page, the minimum is ten."),
        ("hours_left", "Ahora te cuento, en la media parte."),
        ("by_the_hour", "Chapter 14.30 was written by 60. authors in 2012."),
        ("since_the_hour", "Since 1998, by the minute."),
        ("glad_face", "Agenda: (a) budget; (b) rooms"),
        ("sad_face", "See https://example.com/page and note:(1) nothing"),
        ("look_alike_letters", "Ça, né, año, größer, naïve"),
    ],
)
def test_what_only_looks_like_it_is_none(sign: str, body: str) -> None:
    assert f"sign.{sign}" not in shown(body)


@pytest.mark.parametrize(
    ("said", "concept", "other"),
    [
        ("The service was excellent.", "praise", "denied_praise"),
        ("The service was not excellent.", "denied_praise", "praise"),
        ("El trato fue excelente.", "praise", "denied_praise"),
        ("El trato no fue excelente.", "denied_praise", "praise"),
    ],
)
def test_a_denied_feeling_is_another(said: str, concept: str, other: str) -> None:
    found = shown(said)
    assert f"concept.{concept}" in found and f"concept.{other}" not in found


def test_what_is_urgent_is_so_however_long_the_mail() -> None:
    filling = "The weather in the valley was mild and the harvest of the year was good. " * 60
    short, long = shown("It is urgent."), shown(f"{filling} It is urgent.")
    assert long["concept.urgent"] < short["concept.urgent"] / 2
    assert long["concept.urgent.occurs"] == short["concept.urgent.occurs"] > 0
    assert "urgent" in load_lexicon().names


@pytest.mark.parametrize(
    ("sender", "sign"),
    [
        ("Accounts Receivable <billing@northwind.example>", None),
        ("Facturación <administracion@maderas.example>", None),
        ("Raúl Menéndez <rmenendez@energia.example>", None),
        ("Energía Clara <r.m@energiaclara.example>", None),
        ("Marta Olmedo <compras@hotel.example>", "name_apart_from_mailbox"),
        ("Mercado Pago <x91@brightplan.example>", "name_apart_from_domain"),
        ("Theresa Wells <kdv@brightplan.example>", "name_apart_from_domain"),
    ],
)
def test_who_writes_under_a_name_that_the_address_does_not_know(sender: str, sign: str | None) -> None:
    apart = {name for name in shown("Good morning", sender=sender) if name.startswith("sign.name_apart")}
    assert apart == ({f"sign.{sign}"} if sign else set())
