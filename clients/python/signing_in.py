"""Entra ID, as azure-identity and an independent JWT library see it."""

import os

import jwt
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential

from claims import chapter, equal, raises, within
from world import ARM_SCOPE

CLAIMS, claim = chapter()


@claim("an application signs in with its secret")
def _(world):
    token = world.credential.get_token(ARM_SCOPE).token
    body = jwt.decode(token, options={"verify_signature": False})
    equal((body["tid"], body["appid"]), (world.tenant, world.client))


@claim("a wrong secret is refused as AADSTS7000215")
def _(world):
    credential = ClientSecretCredential(world.tenant, world.client, "not the secret")
    with raises(ClientAuthenticationError, message="AADSTS7000215"):
        credential.get_token(ARM_SCOPE)


@claim("an application that nobody registered is refused as AADSTS700016")
def _(world):
    nobody = "99999999-9999-9999-9999-999999999999"
    credential = ClientSecretCredential(world.tenant, nobody, os.environ["AZURE_CLIENT_SECRET"])
    with raises(ClientAuthenticationError, message="AADSTS700016"):
        credential.get_token(ARM_SCOPE)


@claim("the tenant says where its keys are")
def _(world):
    base = f"https://login.microsoftonline.com/{world.tenant}/v2.0"
    about = requests.get(f"{base}/.well-known/openid-configuration", timeout=30).json()
    equal(about["issuer"], base)
    keys = requests.get(about["jwks_uri"], timeout=30).json()["keys"]
    assert keys and all(key["kty"] == "RSA" and "d" not in key for key in keys), keys


@claim("a Microsoft name that is not emulated is refused here and asked nowhere")
def _(world):
    try:
        answer = requests.get("https://vault.azure.net/", timeout=30)
    except requests.exceptions.ProxyError as refusal:
        within("403", str(refusal))
        return
    assert answer.status_code >= 400, answer.status_code
