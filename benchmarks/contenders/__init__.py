"""Scripts that do a job without d365setup: each a module with `run(job, url)`, run as a process of its own."""
