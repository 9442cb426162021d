"""The checks of the bot's side, one module for each family. `healthbot.checking` finds them here."""
