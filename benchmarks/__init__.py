"""The same two jobs done by d365setup and by scripts people would write, counted and timed side by side."""
