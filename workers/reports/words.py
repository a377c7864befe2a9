"""The words of the report in Spanish and English. Unknown names (rules, reasons) are shown as they are."""

from __future__ import annotations

from datetime import date
from typing import Literal

Language = Literal["es", "en"]

_MONTHS_ES = (
    "enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre",
    "noviembre", "diciembre",
)  # fmt: skip
_DAYS_ES = ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo")
_SHORT_DAYS = {
    "es": ("lu", "ma", "mi", "ju", "vi", "sá", "do"),
    "en": ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"),
}

WORDS: dict[str, tuple[str, str]] = {
    # Key: Spanish, English.
    "title": ("Informe diario", "Daily report"),
    "email_summary": ("Correo", "Mail"),
    "learning": ("Correcciones y aprendizaje", "Corrections and learning"),
    "said": ("Correcciones de personas", "Corrections by people"),
    "shown_by_hand": ("vistas en el buzón", "seen in the mailbox"),
    "withdrawn": ("retiradas", "taken back"),
    "judged": ("Comparadas", "Compared"),
    "right_without": ("Acierto sin aprender", "Right without learning"),
    "right_learned": ("Acierto con lo aprendido", "Right with what was learned"),
    "head_category": ("Categoría", "Category"),
    "head_urgency": ("Urgencia", "Urgency"),
    "head_sentiment": ("Sentimiento", "Sentiment"),
    "head_own": ("Categorías propias", "Own categories"),
    "judged_note": (
        "Cada corrección se compara con el análisis antes de aprender de ella. Suele corregirse lo que "
        "está mal: el acierto sobre todo el correo es mayor.",
        "Each correction is compared with the analysis before it is learned from. People mostly correct "
        "what is wrong: of all mail, more is right.",
    ),
    "job_statistics": ("Tareas programadas", "Scheduled jobs"),
    "system_health": ("Estado del sistema", "System health"),
    "received": ("Recibidos", "Received"),
    "done": ("Procesados", "Done"),
    "skipped": ("Omitidos", "Skipped"),
    "dead": ("Fallidos", "Failed"),
    "open": ("Pendientes", "Open"),
    "toReview": ("A revisar", "To review"),
    "before": ("Ø: media de los 7 días anteriores", "Ø: mean of the 7 days before"),
    "no_before": ("Sin días anteriores con que comparar.", "No days before to compare with."),
    "byHour": ("Recibidos por hora", "Received by hour"),
    "lastDays": ("Recibidos por día", "Received by day"),
    "byCategory": ("Por categoría", "By category"),
    "byUrgency": ("Por urgencia", "By urgency"),
    "bySentiment": ("Por sentimiento", "By sentiment"),
    "byLanguage": ("Por idioma", "By language"),
    "byRule": ("Por regla", "By rule"),
    "bySkipReason": ("Motivos de omisión", "Reasons for skipping"),
    "topDomains": ("Dominios remitentes", "Senders' domains"),
    "actions": ("Acciones", "Actions"),
    "times": ("Tiempos", "Times"),
    "median": ("mediana", "median"),
    "p95": ("percentil 95", "95th percentile"),
    "to_done": ("De la llegada al final", "From arrival to the end"),
    "processing": ("Procesamiento", "Processing"),
    "nothing": ("Nada ese día.", "Nothing on that day."),
    "job": ("Tarea", "Job"),
    "completed": ("Completadas", "Completed"),
    "failed": ("Con error", "Failed"),
    "skipped_runs": ("Omitidas", "Skipped"),
    "missed": ("Perdidas", "Missed"),
    "mean_time": ("Duración media", "Mean time"),
    "queue": ("Mensajes en cola", "Messages in the queue"),
    "oldest": ("Espera más larga (s)", "Longest wait (s)"),
    "memory": ("Memoria de Redis (MB)", "Redis memory (MB)"),
    "checks": ("Comprobaciones", "Checks"),
    "healthy": ("Correcto", "Healthy"),
    "degraded": ("Degradado", "Degraded"),
    "unhealthy": ("Caído", "Unhealthy"),
    "minutes": ("minutos", "minutes"),
    "no_checks": ("Sin comprobaciones ese día.", "No checks on that day."),
    "written": ("Generado el", "Written on"),
    "note": (
        "Recibidos: vistos por primera vez ese día. Procesados, omitidos y fallidos: terminados ese día. "
        "Las tareas y el estado son de todo el servicio.",
        "Received: first seen on that day. Done, skipped and failed: ended on that day. "
        "Jobs and health are of the whole service.",
    ),
    "attached": ("El informe completo va adjunto.", "The whole report is attached."),
    # Values.
    "finance": ("finanzas", "finance"), "calendar": ("agenda", "calendar"), "support": ("soporte", "support"),
    "sales": ("ventas", "sales"), "newsletter": ("boletines", "newsletter"), "spam": ("spam", "spam"),
    "personal": ("personal", "personal"), "general": ("general", "general"),
    "low": ("baja", "low"), "medium": ("media", "medium"), "high": ("alta", "high"),
    "positive": ("positivo", "positive"), "neutral": ("neutro", "neutral"),
    "negative": ("negativo", "negative"),
    "es": ("español", "Spanish"), "en": ("inglés", "English"), "fr": ("francés", "French"),
    "de": ("alemán", "German"), "pt": ("portugués", "Portuguese"), "it": ("italiano", "Italian"),
    "ca": ("catalán", "Catalan"), "unknown": ("desconocido", "unknown"),
    "categorize": ("categorizar", "categorize"), "respond": ("responder", "respond"),
    "forward": ("reenviar", "forward"), "archive": ("archivar", "archive"),
    "action_done": ("hecha", "done"), "action_skipped": ("omitida", "skipped"),
    "action_waiting": ("en borrador", "in drafts"), "action_observed": ("solo observada", "observed only"),
    "action_dead": ("fallida", "failed"), "action_planned": ("pendiente", "open"),
    "not_found": ("no existe en Graph", "not in Graph"), "paused": ("en pausa", "paused"),
    "none": ("ninguna", "none"), "below_floor": ("poca confianza", "low confidence"),
}  # fmt: skip


def word(key: str, language: Language) -> str:
    """The word for a key, or the key where there is none."""
    pair = WORDS.get(key)
    return key if pair is None else pair[language == "en"]


def long_date(day: date, language: Language) -> str:
    """A date as people write it, e.g. domingo, 22 de noviembre de 2026."""
    if language == "es":
        return f"{_DAYS_ES[day.weekday()]}, {day.day} de {_MONTHS_ES[day.month - 1]} de {day.year}"
    return f"{day:%A}, {day.day} {day:%B %Y}"


def short_day(day: date, language: Language) -> str:
    """The day of the week and of the month, for an axis."""
    return f"{_SHORT_DAYS[language][day.weekday()]} {day.day}"


def decimal(value: float, language: Language, digits: int = 1) -> str:
    """A number with the language's decimal sign and grouping."""
    text = f"{value:,.{digits}f}"
    return text if language == "en" else text.translate(str.maketrans(",.", ".,"))


def duration(seconds: float, language: Language) -> str:
    """A time in the unit that fits."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{decimal(seconds, language)} s"
    if seconds < 7200:
        return f"{decimal(seconds / 60, language)} min"
    return f"{decimal(seconds / 3600, language)} h"
