"""How applications prove themselves, to azure-identity and to MSAL beneath it: secret, certificate, another's token."""

import os
import pathlib
import tempfile

import jwt
import msal
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import (
    CertificateCredential,
    ClientAssertionCredential,
    DefaultAzureCredential,
    EnvironmentCredential,
    WorkloadIdentityCredential,
)
from cryptography.hazmat.primitives import hashes, serialization

from claims import chapter, equal, raises, within
from world import ARM_SCOPE, EXCHANGE, Directory, certificate

CLAIMS, claim = chapter()


@claim("an application of our own is registered through Graph, with a certificate and a trusted issuer")
def _(world):
    world.directory = Directory(world.credential)
    world.key, world.certificate = certificate("python")
    world.app = world.directory.register("python", world.certificate)
    claims = claims_of(world.credential.get_token(ARM_SCOPE).token)
    issuer = f"https://login.microsoftonline.com/{world.tenant}/v2.0"
    world.directory.trust(world.app, issuer, claims["oid"])


@claim("its certificate signs it in, and another key does not")
def _(world):
    credential = CertificateCredential(world.tenant, world.app["appId"], certificate_data=pem(world.key, world.certificate))
    claims = claims_of(credential.get_token(ARM_SCOPE).token)
    equal((claims["appid"], claims["appidacr"]), (world.app["appId"], "2"))
    stranger, _ = certificate("stranger")
    wrong = CertificateCredential(world.tenant, world.app["appId"], certificate_data=pem(stranger, world.certificate))
    with raises(ClientAuthenticationError, message="AADSTS"):
        wrong.get_token(ARM_SCOPE)


@claim("MSAL's certificate by its SHA-1 thumbprint does as well")
def _(world):
    thumbprint = world.certificate.fingerprint(hashes.SHA1()).hex()
    application = confidential(world, {"private_key": private_pem(world.key).decode(), "thumbprint": thumbprint})
    equal(claims_of(good(application.acquire_token_for_client([ARM_SCOPE])))["appid"], world.app["appId"])


@claim("another issuer's token signs it in, and one about somebody else is refused as AADSTS700213")
def _(world):
    assertion = world.credential.get_token(f"{EXCHANGE}/.default").token
    credential = ClientAssertionCredential(world.tenant, world.app["appId"], lambda: assertion)
    equal(claims_of(credential.get_token(ARM_SCOPE).token)["appid"], world.app["appId"])
    own = credential.get_token(f"{EXCHANGE}/.default").token
    stranger = ClientAssertionCredential(world.tenant, world.app["appId"], lambda: own)
    with raises(ClientAuthenticationError, message="AADSTS700213"):
        stranger.get_token(ARM_SCOPE)


@claim("a workload reads that token from a file")
def _(world):
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "token"
        file.write_text(world.credential.get_token(f"{EXCHANGE}/.default").token)
        credential = WorkloadIdentityCredential(
            tenant_id=world.tenant, client_id=world.app["appId"], token_file_path=str(file)
        )
        equal(claims_of(credential.get_token(ARM_SCOPE).token)["appid"], world.app["appId"])


@claim("the environment names an application, which the default credential takes before all others")
def _(world):
    equal(claims_of(EnvironmentCredential().get_token(ARM_SCOPE).token)["appid"], world.client)
    equal(claims_of(DefaultAzureCredential().get_token(ARM_SCOPE).token)["appid"], world.client)


@claim("MSAL's second token for an application comes from its cache")
def _(world):
    application = msal.ConfidentialClientApplication(
        world.client, client_credential=os.environ["AZURE_CLIENT_SECRET"], authority=authority(world)
    )
    sources = [application.acquire_token_for_client([ARM_SCOPE])["token_source"] for _ in range(2)]
    equal(sources, ["identity_provider", "cache"])


@claim("a tenant that nobody knows is refused before any secret is sent")
def _(world):
    try:
        msal.ConfidentialClientApplication(
            world.client, client_credential="x", authority="https://login.microsoftonline.com/nobody.example"
        )
    except ValueError as refusal:
        within("nobody.example", str(refusal))
        return
    raise AssertionError("a tenant was found")


def claims_of(token):
    return jwt.decode(token, options={"verify_signature": False})


def good(answer):
    assert "access_token" in answer, answer
    return answer["access_token"]


def authority(world):
    return f"https://login.microsoftonline.com/{world.tenant}"


def confidential(world, credential):
    return msal.ConfidentialClientApplication(
        world.app["appId"], client_credential=credential, authority=authority(world)
    )


def private_pem(key):
    none = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, none)


def pem(key, of):
    return private_pem(key) + of.public_bytes(serialization.Encoding.PEM)
