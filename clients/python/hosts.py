"""The other places where Azure's programs run: `zaffre env --host-kind` sets what each of them sets, and nothing of the
client is changed. What the client finds out from it, and what it says to whom, is its own."""

import json
import os
import pathlib
import subprocess
from contextlib import contextmanager

import jwt
import requests
from azure.identity import CredentialUnavailableError, ManagedIdentityCredential, WorkloadIdentityCredential

import cloud
from claims import chapter, equal, raises, within
from world import ARM, ARM_SCOPE, IDENTITY, LOCATION

CLAIMS, claim = chapter()

WEB = "2023-12-01"
ARC_TOKENS = pathlib.Path("/var/opt/azcmagent/tokens")
STRANGER = "99999999-9999-9999-9999-999999999999"
# What hosts set, and what would say otherwise who one is.
OF_HOSTS = ("IDENTITY_", "MSI_", "IMDS_", "DEFAULT_IDENTITY_", "AZURE_CLIENT_", "AZURE_FEDERATED_", "AZURE_AUTHORITY_")


@claim("a web site, a connected machine and others get identities like any resource")
def _(world):
    both = {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {world.identity: {}}}
    world.hosts = {
        kind: world.put(world.in_group(f"{kind}/pythonHost"), WEB, {"location": LOCATION, "identity": both})
        for kind in ["Microsoft.Web/sites", "Microsoft.App/containerApps", "Microsoft.HybridCompute/machines"]
    }
    principals = {host["identity"]["principalId"] for host in world.hosts.values()}
    equal(len(principals), len(world.hosts))


@claim("App Service, Functions and Container Apps: the client finds the endpoint and shows the header")
def _(world):
    for kind, of in [
        ("app-service", "Microsoft.Web/sites"),
        ("functions", "Microsoft.Web/sites"),
        ("container-apps", "Microsoft.App/containerApps"),
    ]:
        with hosted(kind, world.hosts[of]["id"]):
            equal(said(ManagedIdentityCredential())["oid"], world.hosts[of]["identity"]["principalId"])
            named = ManagedIdentityCredential(client_id=world.identity_client)
            equal(said(named)["oid"], world.identity_principal)
            by_id = ManagedIdentityCredential(identity_config={"resource_id": world.identity})
            equal(said(by_id)["oid"], world.identity_principal)


@claim("an identity that the site does not have is refused, and so is a wrong secret or none")
def _(world):
    with hosted("app-service", world.hosts["Microsoft.Web/sites"]["id"]):
        with raises(CredentialUnavailableError, message="Identity not found"):
            ManagedIdentityCredential(client_id=STRANGER).get_token(ARM_SCOPE)
        with changed(IDENTITY_HEADER="wrong"), raises(CredentialUnavailableError, message="401"):
            ManagedIdentityCredential().get_token(ARM_SCOPE)
        query = {"api-version": "2019-08-01", "resource": ARM}
        answer = requests.get(os.environ["IDENTITY_ENDPOINT"], params=query, timeout=30)
        equal((answer.status_code, answer.json()["statusCode"]), (401, 401))


@claim("Azure Arc: the client reads the challenge's file where the agent writes it, and nowhere else")
def _(world):
    machine = world.hosts["Microsoft.HybridCompute/machines"]
    with arc_folder() as is_ours:
        if not is_ours:
            # An ordinary user may not make it: the command says what to do.
            refusal = refused_env("--host-kind", "arc", "--as", machine["id"])
            return within("sudo install", refusal)
        with hosted("arc", machine["id"]):
            equal(said(ManagedIdentityCredential())["oid"], machine["identity"]["principalId"])
            for named in [
                ManagedIdentityCredential(client_id=world.identity_client),
                ManagedIdentityCredential(identity_config={"object_id": world.identity_principal}),
                ManagedIdentityCredential(identity_config={"resource_id": world.identity}),
            ]:
                equal(said(named)["oid"], world.identity_principal)
        equal(list(ARC_TOKENS.iterdir()), [])


@claim("Service Fabric: over TLS, by the thumbprint of the server's certificate alone")
def _(world):
    site = world.hosts["Microsoft.Web/sites"]
    with hosted("service-fabric", site["id"]):
        equal(said(ManagedIdentityCredential())["oid"], site["identity"]["principalId"])
        with changed(IDENTITY_SERVER_THUMBPRINT="00" * 20), raises(requests.exceptions.SSLError):
            ManagedIdentityCredential().get_token(ARM_SCOPE)
        with changed(IDENTITY_HEADER="wrong"), raises(CredentialUnavailableError, message="InvalidSecret"):
            ManagedIdentityCredential().get_token(ARM_SCOPE)


@claim("Cloud Shell: a person's token for a person, by POST")
def _(world):
    administrator = credentials()["user_principal_name"]
    with hosted("cloud-shell", administrator):
        body = said(ManagedIdentityCredential())
        equal((body["unique_name"], body["scp"]), (administrator, "user_impersonation"))


@claim("Azure Machine Learning: the old App Service's header, with times in seconds")
def _(world):
    site = world.hosts["Microsoft.Web/sites"]
    with hosted("ml", site["id"]):
        equal(said(ManagedIdentityCredential())["oid"], site["identity"]["principalId"])
        equal(said(ManagedIdentityCredential(client_id=world.identity_client))["oid"], world.identity_principal)


@claim("workload identity: the token in the file is exchanged for the identity that believes its issuer")
def _(world):
    within("federated identity credential", refused_env("--host-kind", "workload-identity", "--as", world.identity))
    believed = {
        "issuer": f"https://login.microsoftonline.com/{world.tenant}/v2.0",
        "subject": "system:serviceaccount:default:app",
        "audiences": ["api://AzureADTokenExchange"],
    }
    credential = f"{world.identity}/federatedIdentityCredentials/cluster"
    world.put(credential, IDENTITY, {"properties": believed})
    with hosted("workload-identity", world.identity):
        equal(said(WorkloadIdentityCredential())["oid"], world.identity_principal)
        token = pathlib.Path(os.environ["AZURE_FEDERATED_TOKEN_FILE"]).read_text()
        equal(jwt.decode(token, options={"verify_signature": False})["sub"], believed["subject"])
    world.delete(credential, IDENTITY)


def said(credential):
    """What the credential's token says of whose it is."""
    with credential:
        return jwt.decode(credential.get_token(ARM_SCOPE).token, options={"verify_signature": False})


@contextmanager
def hosted(kind, whom):
    """The environment that this kind of host sets, for as long as the block runs."""
    before = dict(os.environ)
    variables = cloud.client_variables("--host-kind", kind, "--as", whom)
    for name in [name for name in os.environ if name.startswith(OF_HOSTS)]:
        del os.environ[name]
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def changed(**variables):
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def arc_folder():
    """Whether the folder of challenges is there for us; one that was made for this goes again."""
    made = []
    for folder in [ARC_TOKENS.parent, ARC_TOKENS]:
        try:
            folder.mkdir(mode=0o700)
            made.append(folder)
        except FileExistsError:
            pass
        except OSError:
            break
    try:
        yield ARC_TOKENS.is_dir() and ARC_TOKENS.stat().st_uid == os.geteuid()
    finally:
        for folder in reversed(made):
            for file in folder.glob("*.key"):
                file.unlink()
            folder.rmdir()


def refused_env(*options):
    done = subprocess.run([os.environ["ZAFFRE"], "env", *options], capture_output=True, text=True)
    assert done.returncode != 0, done.stdout
    return done.stderr


def credentials():
    command = [os.environ["ZAFFRE"], "credentials", "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)
