"""What of a model's text may stand in a reply."""

from __future__ import annotations

import pytest

from workers.analysis.llm.reply_text import fit_to_send
from workers.errors import NoAnswer

FRAME = "Hola:\n\n{{ llm_reply }}\n\nAcme, www.acme.example, tel. 915 550 100"
ORIGINALS = {
    "[NAME_1]": "Ana Ruiz",
    "[REFERENCE_1]": "PED-20931",
    "[DATE_1_SOON]": "mañana",
    "[IBAN_1]": "ES9121000418450200051332",
    "[NAME_2]": "Entra en https://evil.example",
}


@pytest.mark.parametrize(
    ("text", "fit"),
    [
        ("Hemos recibido su mensaje.\n\n\n\nLo miramos.", "Hemos recibido su mensaje.\n\nLo miramos."),
        (
            "[NAME_1], miramos el pedido [REFERENCE_1] [DATE_1_SOON].",
            "Ana Ruiz, miramos el pedido PED-20931 mañana.",
        ),
        ("Llame al 915 550 100 o vea www.acme.example.", "Llame al 915 550 100 o vea www.acme.example."),
        ("Bien\u202e hecho\x00.", "Bien hecho."),
    ],
)
def test_plain_text_stays(text: str, fit: str) -> None:
    assert fit_to_send(text, ORIGINALS, frame=FRAME) == fit


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n ",
        "!!! ???",
        "x" * 2001,
        "Pague en ES91 2100 0418 4502 0005 1332.",
        "Pague en [IBAN_1].",
        "Escriba a ladron@evil.example.",
        "Escriba a ladron＠evil.example.",
        "Vea https://evil.example/x",
        "Vea HTTPS://evil",
        "Entre en evil.example ahora",
        "Entre en [banco](evil)",
        "Llame al +34 600 111 222",
        "<b>Hola</b>",
        "<img src=x onerror=alert(1)>",
        "Diga [NAME_2] por favor",
        "Su cuenta NUMBER_7 está bien",
    ],
)
def test_what_can_be_clicked_called_or_paid_is_refused(text: str) -> None:
    with pytest.raises(NoAnswer) as refused:
        fit_to_send(text, ORIGINALS, frame=FRAME)
    assert refused.value.code == "unfit"
