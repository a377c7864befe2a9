"""The forms of requests and answers, one file per resource: what is checked, and what is documented."""
