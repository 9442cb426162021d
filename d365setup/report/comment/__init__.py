"""Markdown for a comment or a summary: the parts that `as_markdown` puts together."""
