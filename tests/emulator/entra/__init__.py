"""The sign-in service beside the emulator, asked by MSAL and by raw requests."""
