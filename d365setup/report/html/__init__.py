"""Documents as one page: what each template needs (modules), the templates, the style and the script (files)."""
