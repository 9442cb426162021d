"""A client library for the Dataverse Web API: sign in, read, write in batches, wait when told to.

    from d365setup.dataverse.auth import ClientSecret, Directory
    from d365setup.dataverse.client import Client

    with Client(url, ClientSecret(Directory(url), client_id, secret)) as client:
        queues, roles = client.read([query("queues", select=["name"]), query("roles", select=["name"])])

It knows the protocol and nothing of what is stored. Importing this package loads neither HTTP nor MSAL.
"""
