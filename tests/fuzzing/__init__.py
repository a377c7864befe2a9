"""schemathesis against the whole service: made-up requests, judged by the API's own document."""
