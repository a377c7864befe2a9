"""What the people of a mail are called, so that it can be taken out of the text."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from workers.analysis.headers import Address
from workers.analysis.llm.spelling import folded, plain
from workers.analysis.mail import Mail

_SEPARATORS = re.compile(r"[\s.,;:_()\"'/|+-]+")
# Bounds for hostile mail: each name is looked for.
_MOST_PEOPLE = 20
_LONGEST_NAME = 120
_MOST_PARTS = 10
# Parts of names that are words, too: they name nobody by themselves.
_PARTICLES = """
al an and as at da das de del den der di do dos du e el en i in is it la las le les lo los me mr mrs ms my no
of on or por se si the to un us van von we y zu
"""
# What a mailbox is for, not who writes: without it a mail to support would lose the word that tells so.
_ROLES = """
admin administracion atencion billing clientes comercial compras contact contacto correo customer facturacion
facturas hello help helpdesk hola info mail newsletter news noreply notifications office orders pedidos reply
sales service soporte support team ventas
"""
_NOT_IN_NAMES = frozenset(_PARTICLES.split())
_NOT_IN_ADDRESSES = _NOT_IN_NAMES | frozenset(_ROLES.split())


def names_of(mail: Mail, ours: Collection[str]) -> list[list[str]]:
    """For each correspondent but our own mailboxes, all names to take out, the fullest first."""
    found = [list(dict.fromkeys(_names(person))) for person in _strangers(mail, ours)]
    return [names for names in found if names]


def domains_of(mail: Mail, ours: Collection[str]) -> list[str]:
    """Domains of the correspondents."""
    return sorted({one.domain for one in _strangers(mail, ours)} - {""})


def _strangers(mail: Mail, ours: Collection[str]) -> list[Address]:
    people = (mail.sender, *mail.reply_to, *mail.to, *mail.cc)
    return list(dict.fromkeys(one for one in people if one.address.lower() not in ours))[:_MOST_PEOPLE]


def _names(person: Address) -> Iterator[str]:
    name = plain(person.name[:_LONGEST_NAME])
    if len(name) > 1:
        yield name
    for part in _SEPARATORS.split(name)[:_MOST_PARTS]:
        if len(part) > 1 and folded(part) not in _NOT_IN_NAMES:
            yield part
    for part in _SEPARATORS.split(person.address.partition("@")[0][:_LONGEST_NAME])[:_MOST_PARTS]:
        if len(part) > 2 and folded(part) not in _NOT_IN_ADDRESSES:
            yield part
