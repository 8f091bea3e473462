"""From a submission to a verdict: `dispatcher` starts a warm process, `zygote` forks gradings, `engine` decides."""
