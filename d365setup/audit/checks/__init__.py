"""The checks, one module for each family. `audit.checking` finds them here."""
