"""The daily report of each organization: what came in, what became of it, how the service fared.

    daily.py      writes (and mails) the reports of a day       gathering.py  reads Redis for them
    email_day.py  figures of a day's mail, no I/O               page.py, charts.py, words.py  the HTML page
    files.py      where they lie                                mailing.py    sent through Graph, once

Files: DATA_DIR/reports/ORGANIZATION/YYYY-MM-DD/daily_report.json and .html; the day is the organization's.
The JSON: {organizationId, date, timezone, language, writtenAt, emailSummary, jobStatistics, systemHealth}.
"""
