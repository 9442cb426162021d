"""Where tokens come from: every class here is a TokenSource. MSAL is loaded when the first token is asked for.

All but `StaticToken` sign in at the directory an environment belongs to:

    directory = Directory("https://contoso.crm.dynamics.com")  # tenant and sign-in service are learnt when not given
    tokens = ClientSecret(directory, client_id, secret)

Certificates, federated assertions, managed identities and device codes are imported from their modules.
Facts: learn.microsoft.com, "Microsoft identity platform and the OAuth 2.0 client credentials flow", and the
documentation of MSAL for Python.
"""

from d365setup.dataverse.auth.application import ClientSecret
from d365setup.dataverse.auth.authority import PUBLIC_CLOUD, Authority
from d365setup.dataverse.auth.directory import Directory
from d365setup.dataverse.auth.refusal import SignInError
from d365setup.dataverse.auth.secret import Secret, StaticToken, TokenSource

__all__ = [
    "PUBLIC_CLOUD",
    "Authority",
    "ClientSecret",
    "Directory",
    "Secret",
    "SignInError",
    "StaticToken",
    "TokenSource",
]
