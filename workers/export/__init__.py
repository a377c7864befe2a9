"""The weekly export: an ISO week of the journal as JSON lines and CSV, with a manifest to check them by.

    weekly.py       which weeks are due, one organization after the other
    week.py         an ISO week in a timezone          rows.py  what a row holds; both without I/O
    week_files.py   the files, written piece by piece and resumed
    destination.py  a folder, or S3 and Azure through fsspec

Files below EXPORT_URL (unset: DATA_DIR/exports): ORGANIZATION/YYYY-Www/ledger.jsonl.gz, ledger.csv and
manifest.json, which is written last. Exporting a week again puts the same bytes under the same names.
What is not finished yet lies in DATA_DIR/export-work.
"""
