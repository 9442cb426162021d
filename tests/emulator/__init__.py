"""The emulator, spoken to over HTTP."""
