"""The organizations file: what it accepts, and how it says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.errors import SettingsError
from workers.organizations import Organizations, load_organizations

BASE = """
[organizations.acme]
tenant_id = "t"
client_id = "c"
client_secret = "file:secret.txt"
mailboxes = ["Soporte@acme.example"]
"""


def webhook(url: str, more: str = "") -> str:
    return f"[organizations.acme.webhooks.crm]\nurl = '{url}'\nsecret = 'env:CRM'\n{more}"


def load(tmp_path: Path, text: str = BASE) -> Organizations:
    path = tmp_path / "organizations.toml"
    path.write_text(text, encoding="utf-8")
    return load_organizations(path)


def test_the_forms_of_the_design_page_are_read(tmp_path: Path) -> None:
    path = tmp_path / "organizations.toml"
    path.write_text(
        BASE
        + """
timezone = "Europe/Madrid"
process_since = 2026-11-01T00:00:00Z
forward = { support = ["helpdesk@acme.example"] }
[[organizations.acme.rules]]
name = "facturas"
when = { category = ["finance"], min_confidence = 0.75, from_domain = "banco.example" }
then = [ { categorize = "Finanzas" }, { forward = ["conta@acme.example"] }, { respond = "acuse" }, "archive" ]
[organizations.acme.templates.acuse]
subject = "Recibido"
body = "Hola {{ sender_name }}"
""",
        encoding="utf-8",
    )
    organizations = load_organizations(path)
    acme = organizations.of_mailbox("SOPORTE@acme.example")
    assert acme is not None and acme.mailboxes == ("soporte@acme.example",)
    assert [step.type for step in acme.rules[0].then] == ["categorize", "forward", "respond", "archive"]
    assert acme.rules[0].when.from_domain == ("banco.example",)
    assert organizations.is_ours("soporte@ACME.example")


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        ("mod = 'act'", "organizations.acme.mod: unknown setting"),
        ("mode = 'acting'", "organizations.acme.mode"),
        ("timezone = 'Europe/Atlantis'", "unknown timezone 'Europe/Atlantis'"),
        ("folders = []", "organizations.acme.folders"),
        ("certificate = 'file:x.pem'", "either client_secret or certificate"),
        ("process_since = 2026-11-01T00:00:00", "organizations.acme.process_since"),
        ("[[organizations.acme.rules]]\nname='r'\nthen=['delete']", 'an action is "archive"'),
        ("[[organizations.acme.rules]]\nname='r'\nthen=[{respond='x'}]", "no template named 'x'"),
        ("[[organizations.acme.rules]]\nname='r'\nthen=[]", "organizations.acme.rules.0.then"),
        ("[[organizations.acme.rules]]\nname='r'\nwhen={categry='x'}\nthen=['archive']", "when.categry"),
        ("[[organizations.acme.rules]]\nname='r'\nthen=[{forward=['nobody']}]", "rules.0.then.0"),
        (webhook("ftp://crm.acme.example/"), "webhooks.crm.url: must be an address"),
        (webhook("https:///path"), "webhooks.crm.url: must be an address"),
        (webhook("https://crm.acme.example:99999/"), "webhooks.crm.url: must be an address"),
        (webhook("https://crm.acme.example/a b"), "webhooks.crm.url: must be an address"),
        (webhook("https://me:pw@crm.acme.example/"), "webhooks.crm.url: must not hold credentials"),
        (webhook("https://crm.acme.example/", "events = ['email.read']"), "webhooks.crm.events.0"),
        (webhook("https://crm.acme.example/", "events = []"), "webhooks.crm.events"),
        (webhook("https://crm.acme.example/", "retries = 3"), "webhooks.crm.retries: unknown setting"),
        ("[organizations.acme.webhooks.crm]\nurl='https://x.example'", "webhooks.crm.secret"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, extra: str, named: str) -> None:
    with pytest.raises(SettingsError, match=r"organizations\.toml") as refused:
        load(tmp_path, f"{BASE}{extra}\n")
    assert named in str(refused.value)


def test_webhooks_are_told_what_they_ask_for(tmp_path: Path) -> None:
    path = tmp_path / "organizations.toml"
    some = webhook("https://crm.acme.example/hooks/3f9c?x=1", "events = ['email.dead', 'job.failed']")
    path.write_text(
        BASE + some + "\n" + webhook("https://y.example/").replace("crm]", "all]"), encoding="utf-8"
    )
    acme = load_organizations(path).get("acme")
    assert acme is not None
    assert acme.tells_of("email.dead") == ("crm", "all") and acme.tells_of("email.done") == ("all",)
    assert acme.webhooks["crm"].host == "crm.acme.example" and acme.webhooks["crm"].secret == ("env:CRM",)


def test_a_mailbox_belongs_to_one_organization(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="already belongs to acme"):
        load(tmp_path, BASE + BASE.replace("organizations.acme", "organizations.other"))


def test_secrets_come_from_files_or_the_environment_and_are_missed_by_name(tmp_path: Path) -> None:
    path = tmp_path / "organizations.toml"
    path.write_text(BASE, encoding="utf-8")
    organizations = load_organizations(path)
    acme = organizations.get("acme")
    assert acme is not None
    with pytest.raises(SettingsError, match=r"organizations\.acme\.client_secret.*secret\.txt"):
        organizations.credential(acme)
    (tmp_path / "secret.txt").write_text("s3cret\n")
    assert organizations.credential(acme).client_secret == "s3cret"


def test_a_secret_in_the_file_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "organizations.toml"
    path.write_text(BASE.replace("file:secret.txt", "plain"), encoding="utf-8")
    organizations = load_organizations(path)
    acme = organizations.get("acme")
    assert acme is not None
    with pytest.raises(SettingsError, match="never in the file itself"):
        organizations.credential(acme)


@pytest.mark.parametrize("text", ["[organizations", "[organization.acme]\n", "organizations = 3\n"])
def test_a_broken_file_says_so(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match=r"organizations\.toml"):
        load(tmp_path, text)


def test_own_categories_come_with_a_description_and_a_file_of_examples(tmp_path: Path) -> None:
    (tmp_path / "orders.jsonl").write_text('{"subject": "Pedido 1", "body": "Seis cajas"}\n\n')
    own = """
        [organizations.acme.categories.pedidos]
        description = "Pedidos de clientes"
        [organizations.acme.categories."Parte de obra"]
        examples = "orders.jsonl"
        [[organizations.acme.rules]]
        name = "pedidos"
        when = { category = "pedidos" }
        then = ["archive"]
    """
    organizations = load(tmp_path, BASE + own)
    (acme,) = organizations
    told = organizations.own_examples(acme)
    assert told.mails == {
        "Parte de obra": ({"subject": "Pedido 1", "body": "Seis cajas"},),
        "pedidos": ({"subject": "pedidos", "body": "Pedidos de clientes"},),
    }
    changed = load(tmp_path, BASE + own.replace("de clientes", "de tiendas"))
    assert changed.own_examples(next(iter(changed))).digest != told.digest
    plain = load(tmp_path)
    assert plain.own_examples(next(iter(plain))).digest == ""


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[organizations.acme.categories.Sales]", "categories.Sales"),
        (
            "[organizations.acme.categories.x]\nexamples = 'none.jsonl'",
            "acme.categories.x.examples: cannot read",
        ),
        ("[organizations.acme.categories.x]\nexamples = 'bad.jsonl'", "x.examples: line 2 is no mail"),
        ("[organizations.acme.categories.x]\nexamples = 'empty.jsonl'", "x.examples: give 1 to 200"),
        (
            "[[organizations.acme.rules]]\nname = 'r'\nwhen = { category = 'pedidos' }\nthen = ['archive']",
            "rule r: category 'pedidos'",
        ),
    ],
)
def test_what_is_wrong_with_own_categories_is_named(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "bad.jsonl").write_text('{"subject": "Pedido"}\n{"text": "x"}')
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(SettingsError) as wrong:
        load(tmp_path, f"{BASE}\n{text}")
    assert named.lower() in str(wrong.value).lower()
