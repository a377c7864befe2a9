"""What `econeura check` verifies, one file a matter; each finding says what to fix."""
