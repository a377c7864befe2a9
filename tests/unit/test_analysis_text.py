"""Which words of a mail are new, in the forms that mail programs write."""

from __future__ import annotations

import pytest

from workers.analysis import mail_from_row
from workers.analysis.html import visible_text
from workers.analysis.text import read_text

_ANA = "Ana <ana@acme.example>"
HISTORY = {
    "gmail es": "El lun, 3 nov 2025 a las 10:23, Ana (<ana@acme.example>) escribió:\n\n> historia\n> x",
    "gmail es without marks": f"El lun, 3 nov 2025 a las 10:23, {_ANA} escribió:\n\nvieja historia",
    "gmail es wrapped": f"El lunes, 3 de mayo de 2025 a las 10:23, Ana\n{_ANA} escribió:\nvieja historia",
    "gmail en": f"On Mon, Nov 3, 2025 at 10:23 AM {_ANA} wrote:\n> vieja historia",
    "iphone es": f"El 3 nov 2025, a las 10:23, {_ANA} escribió:\n\nvieja historia",
    "outlook es": "-----Mensaje original-----\nDe: Ana\nEnviado el: lunes\nPara: Bea\nAsunto: x\n\nhistoria",
    "outlook es modern": f"De: {_ANA}\nEnviado: lunes, 3 de mayo\nPara: Bea\nAsunto: x\n\nvieja historia",
    "outlook en": "______________\nFrom: Ana\nSent: Monday\nTo: Bea\nSubject: x\n\nvieja historia",
    "german": f"Am 03.11.2025 um 10:23 schrieb {_ANA}:\n> vieja historia",
}


@pytest.mark.parametrize("form", HISTORY)
def test_history_is_not_analysed(form: str) -> None:
    text = read_text(
        mail_from_row({"subject": "RE: x", "body": f"Sí, de acuerdo con lo que propones.\n\n{HISTORY[form]}"})
    )
    assert "propones" in text.analysed
    assert "historia" not in text.analysed
    assert "escribió" not in text.analysed
    assert text.is_quoted(text.full.index("historia"))
    assert not text.is_quoted(text.full.index("propones"))


def test_answers_between_quoted_lines_are_new() -> None:
    text = read_text(
        mail_from_row(
            {"body": "Ana wrote:\n> first question\nfirst answer here\n> second question\nand the second one"}
        )
    )
    assert "first answer here" in text.analysed
    assert "and the second one" in text.analysed
    assert "question" not in text.analysed


@pytest.mark.parametrize(
    "head",
    [
        "---------- Forwarded message ---------",
        "---------- Mensaje reenviado ----------",
        "Begin forwarded message:",
    ],
)
def test_a_bare_forward_is_judged_by_what_was_forwarded(head: str) -> None:
    body = f"FYI\n\n{head}\nFrom: Ana\nSubject: x\n\nLa factura de octubre sigue pendiente"
    text = read_text(mail_from_row({"subject": "Fwd: x", "body": body}))
    assert "factura de octubre" in text.analysed
    assert text.is_forward
    assert text.is_quoted(text.full.index("factura"))


@pytest.mark.parametrize(
    "footer",
    [
        "-- \nAna López\nDirectora de facturación",
        "Un saludo,\n\nAna López\nDirectora de facturación",
        "Kind regards,\nAna López\nHead of facturación",
        "Enviado desde mi iPhone, facturación",
    ],
)
def test_signatures_are_context(footer: str) -> None:
    text = read_text(mail_from_row({"body": f"¿Podemos vernos el jueves por la tarde?\n\n{footer}"}))
    assert "jueves" in text.analysed
    assert "facturación" not in text.analysed


def test_legal_footers_are_context() -> None:
    legal = "AVISO LEGAL: Este mensaje y sus anexos son confidenciales y van dirigidos a su destinatario."
    text = read_text(
        mail_from_row({"body": f"Nos vemos el jueves a las diez en vuestra oficina.\n\n{legal}"})
    )
    assert "destinatario" not in text.analysed


def test_a_mail_that_is_nothing_but_signature_is_still_read() -> None:
    text = read_text(mail_from_row({"subject": "", "body": "Gracias\nAna"}))
    assert "Gracias" in text.analysed


@pytest.mark.parametrize("prefix", ["RE: ", "Re: RV: ", "Fwd: ", "AW: WG: ", "Re[2]: ", "[lista] Re: "])
def test_subject_prefixes_are_left_out(prefix: str) -> None:
    assert read_text(mail_from_row({"subject": f"{prefix}Factura 12"})).subject == "Factura 12"


def test_positions_lead_back_to_the_full_text() -> None:
    row = {"subject": "RE: Asunto", "body": "> cita\nPrimera parte nueva del correo\n> cita\nsegunda"}
    text = read_text(mail_from_row(row))
    for word in ("Asunto", "Primera", "segunda"):
        assert text.full[text.position(text.analysed.index(word)) :].startswith(word)


def test_html_becomes_the_visible_text() -> None:
    html = (
        "<html><head><style>p{}</style></head><body><span style='display:none'>preheader</span>"
        "<p>Hola&nbsp;<b>Ana</b>,</p><div>uno<br>dos</div><table><tr><td>a</td><td>b</td></tr></table>"
        "<script>x()</script><a href='https://acme.example/x'>pulsa  aquí</a></body></html>"
    )
    result = visible_text(html)
    assert result.text == "Hola Ana,\nuno\ndos\na b\npulsa aquí"
    assert result.links == [("https://acme.example/x", "pulsa aquí")]
    assert result.hidden_chars == len("preheader")


@pytest.mark.parametrize(
    "quote",
    [
        "<div class='gmail_quote'>vieja historia</div>",
        "<blockquote type='cite'>vieja <b>historia</b></blockquote>",
        "<div id='divRplyFwdMsg'><b>De:</b> Ana</div><div>vieja historia</div>",
        "<div id='appendonsend'></div><hr><div>vieja historia</div>",
    ],
)
def test_quotes_marked_in_html_are_history(quote: str) -> None:
    body = f"<div>De acuerdo, lo vemos el jueves por la mañana</div>{quote}"
    text = read_text(mail_from_row({"body": body, "body_type": "html"}))
    assert "historia" not in text.analysed
    assert text.is_quoted(text.full.index("historia"))


def test_long_texts_are_cut_with_a_note() -> None:
    text = read_text(mail_from_row({"subject": "s" * 5_000, "body": "palabra " * 100_000}))
    assert len(text.full) < 110_000
    assert any("subject cut" in note for note in text.notes)
    assert any("text cut" in note for note in text.notes)
