"""169.254.169.254, asked through HTTP_PROXY: which machine asks is the proxy's knowledge, not the request's."""

import os

import jwt
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ManagedIdentityCredential

import cloud
from claims import chapter, equal, raises
from world import ARM, ARM_SCOPE, RESOURCES, good

CLAIMS, claim = chapter()

IMDS = "http://169.254.169.254/metadata"


@claim("a client that is no machine has no identity")
def _(world):
    with raises(ClientAuthenticationError, message="Identity not found"):
        ManagedIdentityCredential().get_token(ARM_SCOPE)


@claim("with the machine's own proxy secret, the same client is that machine")
def _(world):
    os.environ.update(cloud.client_variables("--as-vm", "pythonVM"))
    token = ManagedIdentityCredential().get_token(ARM_SCOPE).token
    equal(jwt.decode(token, options={"verify_signature": False})["oid"], world.vm_principal)


@claim("the token's signature, audience and issuer hold before an independent library")
def _(world):
    token = ManagedIdentityCredential().get_token(ARM_SCOPE).token
    body = verified(world, token, ARM)
    equal(body["xms_mirid"].lower(), world.vm.lower())
    equal((body["tid"], body["idtyp"]), (world.tenant, "app"))


@claim("the user-assigned identity is asked for by its client id, and its token names it")
def _(world):
    token = ManagedIdentityCredential(client_id=world.identity_client).get_token(ARM_SCOPE).token
    body = verified(world, token, ARM)
    equal((body["oid"], body["appid"]), (world.identity_principal, world.identity_client))
    equal(body["xms_mirid"].lower(), world.identity.lower())


@claim("an identity that the machine does not have is not found")
def _(world):
    stranger = ManagedIdentityCredential(client_id="99999999-9999-9999-9999-999999999999")
    with raises(ClientAuthenticationError, message="Identity not found"):
        stranger.get_token(ARM_SCOPE)


@claim("a request without the Metadata header is refused")
def _(world):
    query = {"api-version": "2018-02-01", "resource": ARM}
    answer = requests.get(f"{IMDS}/identity/oauth2/token", params=query, timeout=30)
    equal((answer.status_code, answer.json()["error"]), (400, "invalid_request"))


@claim("the machine reads its own description")
def _(world):
    query = {"api-version": "2021-02-01"}
    answer = requests.get(f"{IMDS}/instance", params=query, headers={"Metadata": "true"}, timeout=30)
    compute = good(answer).json()["compute"]
    equal((compute["name"], compute["resourceId"].lower()), ("pythonVM", world.vm.lower()))


@claim("the machine reads its group after it is made Reader there, and not before")
def _(world):
    token = ManagedIdentityCredential().get_token(ARM_SCOPE).token
    before = world.ask("GET", world.group, RESOURCES, token=token)
    equal((before.status_code, before.json()["error"]["code"]), (403, "AuthorizationFailed"))
    world.assign("Reader", world.vm_principal, world.group)
    equal(good(world.ask("GET", world.group, RESOURCES, token=token)).json()["name"], "python")


def verified(world, token, audience):
    """The token's claims, after PyJWT has checked it against the keys that the tenant publishes."""
    keys = requests.get(f"https://login.microsoftonline.com/{world.tenant}/discovery/v2.0/keys", timeout=30).json()
    key = jwt.PyJWKSet.from_dict(keys)[jwt.get_unverified_header(token)["kid"]]
    issuer = f"https://sts.windows.net/{world.tenant}/"
    checks = {"audience": audience, "issuer": issuer, "options": {"require": ["exp", "nbf", "iat"]}}
    return jwt.decode(token, key, algorithms=["RS256"], **checks)
