"""Door 2: HTTP in, queue messages and reads of the core out. It checks, enqueues and answers; never acts."""
