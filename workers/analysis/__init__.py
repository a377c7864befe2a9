"""What a mail means: category, urgency, sentiment, language, entities. Local, without network or GPU."""

from workers.analysis.mail import Mail, mail_from_eml, mail_from_graph, mail_from_row
from workers.analysis.result import CATEGORIES, SENTIMENTS, URGENCIES, Analysis, Entity, Evidence
from workers.analysis.understand import analyse, read_model

__all__ = [
    "CATEGORIES",
    "SENTIMENTS",
    "URGENCIES",
    "Analysis",
    "Entity",
    "Evidence",
    "Mail",
    "analyse",
    "mail_from_eml",
    "mail_from_graph",
    "mail_from_row",
    "read_model",
]
