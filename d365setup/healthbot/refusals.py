"""What can go wrong with the Health Bot's management API and with Azure Resource Manager, beside the transport's own.

Each is a leaf of the client's tree of errors (`dataverse.errors`), so that repeating, exit codes and reports are one
thing for every service we speak to: not reachable, sign-in and permission end with 6, what is refused with 1.
"""

from d365setup.dataverse.errors import AuthError, BadRequest, Forbidden, TransportError, UnexpectedAnswer


class WrongSecret(AuthError):
    """The bot did not take the token."""

    default_hint = (
        "check that D365_HEALTHBOT_SECRET is the API_JWT_SECRET of this very bot (on the portal's page of secrets), "
        "and that this machine's clock is right"
    )


class NotAllowed(Forbidden):
    """The token is good, and may not do this."""

    default_hint = "check the secret: it must be the API_JWT_SECRET of this very bot"


class NoSuchBot(TransportError):
    """There is no bot of that tenant name on that host."""

    default_hint = "copy the portal link anew: the tenant name is the bot's name with an ending the service made up"


class NotTaken(BadRequest):
    """The scenarios were refused as they are; nothing of the import is kept."""

    default_hint = "mend what it names, then send again; nothing was written"


class TooLarge(NotTaken):
    """The scenarios are larger than the service takes."""

    default_hint = "split the scenario, for example with a step that begins another one; nothing was written"


class NoHealthBot(UnexpectedAnswer):
    """An answer that no Health Bot gives."""

    default_hint = "check that the portal link is a Health Bot's and that no proxy answers in its place"


class ResourceNotFound(TransportError):
    """Azure Resource Manager knows no such Health Bot, or does not show it to us."""

    default_hint = (
        "check D365_HEALTHBOT_RESOURCE_ID, and that whoever signs in has the role Reader there; "
        "or set D365_HEALTHBOT_SECRET"
    )


class SecretNotShown(Forbidden):
    """Whoever signs in may not list the bot's secrets."""

    default_hint = (
        "give whoever signs in Microsoft.HealthBot/healthBots/listSecrets/action on the resource (Contributor has it; "
        "the Healthcare Agent roles do not); or set D365_HEALTHBOT_SECRET"
    )
