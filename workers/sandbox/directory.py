"""Who exists: tenants, the applications registered in them, and the mailboxes of their users."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography import x509

from workers.sandbox.calls import GraphProblem
from workers.sandbox.ids import IdMint
from workers.sandbox.mailbox import Listener, Mailbox

FULL_ROLES = frozenset({"Mail.ReadWrite", "Mail.Send", "MailboxSettings.ReadWrite"})


@dataclass(slots=True, eq=False)
class App:
    """An application registration: credentials, roles, and the mailboxes a policy leaves it (None: all)."""

    tenant_id: str
    client_id: str
    client_secret: str | None = None
    certificates: list[x509.Certificate] = field(default_factory=list)
    roles: frozenset[str] = FULL_ROLES
    allowed_mailboxes: frozenset[str] | None = None


class Directory:
    """Finds apps and mailboxes by what a request names."""

    def __init__(self, mint: IdMint) -> None:
        self._mint = mint
        self._apps: dict[tuple[str, str], App] = {}
        self.tenants: set[str] = set()
        self.mailboxes: dict[str, Mailbox] = {}
        self._by_user_id: dict[str, Mailbox] = {}
        self.listener: Listener | None = None

    def add_app(self, app: App) -> App:
        self.tenants.add(app.tenant_id)
        self._apps[app.tenant_id, app.client_id] = app
        return app

    def app(self, tenant_id: str, client_id: str) -> App | None:
        return self._apps.get((tenant_id, client_id))

    def add_mailbox(self, address: str, tenant_id: str) -> Mailbox:
        """The mailbox of an address, made if it is new; every second one is Spanish."""
        address = address.lower()
        if address not in self.mailboxes:
            mailbox = Mailbox(
                address,
                user_id=self._mint.guid(),
                tenant_id=tenant_id,
                mint=self._mint,
                spanish=len(self.mailboxes) % 2 == 0,
            )
            mailbox.listener = self.listener
            self.mailboxes[address] = self._by_user_id[mailbox.user_id] = mailbox
            self.tenants.add(tenant_id)
        return self.mailboxes[address]

    def find(self, user: str, tenant_id: str) -> Mailbox | None:
        """A mailbox of the tenant by address or user id."""
        mailbox = self.mailboxes.get(user.lower()) or self._by_user_id.get(user.lower())
        return mailbox if mailbox is not None and mailbox.tenant_id == tenant_id else None

    def mailbox_for(self, user: str, app: App) -> Mailbox:
        """The mailbox an app asks for; GraphProblem 404 unknown in its tenant, 403 outside its policy."""
        mailbox = self.find(user, app.tenant_id)
        if mailbox is None:
            raise GraphProblem(404, "ErrorInvalidUser", f"The requested user '{user}' is invalid.")
        if app.allowed_mailboxes is not None and mailbox.address not in app.allowed_mailboxes:
            raise GraphProblem(
                403, "ErrorAccessDenied", "Access to OData is disabled: [RAOP] : Blocked by tenant policy."
            )
        return mailbox
