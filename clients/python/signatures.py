"""azure-storage-blob: shared access signatures of every kind, made by the SDK and used by it."""

import base64
import datetime
from urllib.parse import parse_qs, quote, unquote

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.identity import ManagedIdentityCredential
from azure.storage.blob import (
    AccessPolicy,
    AccountSasPermissions,
    BlobClient,
    BlobSasPermissions,
    BlobServiceClient,
    ContainerClient,
    ContainerSasPermissions,
    ResourceTypes,
    generate_account_sas,
    generate_blob_sas,
    generate_container_sas,
)

from claims import chapter, equal, raises
from world import AUTHORIZATION, STORAGE

CLAIMS, claim = chapter()

TEXT = "what may be passed on\n".encode()
NAME = "passed on/one file.txt"
NOT_PERMITTED = {"status_code": 403, "error_code": "AuthorizationPermissionMismatch"}
NOT_PROVED = {"status_code": 403, "error_code": "AuthenticationFailed"}


@claim("a blob's signature reads that blob, under the labels that it carries")
def _(world):
    world.storage_key = world.post(f"{world.storage}/listKeys", STORAGE)["keys"][0]["value"]
    world.by_key = BlobServiceClient(host(world), credential=key(world))
    world.by_key.get_blob_client(world.container_name, NAME).upload_blob(TEXT)
    world.by_key.get_blob_client(world.container_name, "another.txt").upload_blob(TEXT)
    options = {"permission": BlobSasPermissions(read=True), "content_disposition": "attachment; filename=one.txt"}
    world.signature = generate_blob_sas(*blob_names(world), account_key=world.storage_key, expiry=soon(), **options)
    blob = bearer(world, world.signature)
    equal(blob.download_blob().readall(), TEXT)
    equal(blob.get_blob_properties().content_settings.content_disposition, "attachment; filename=one.txt")


@claim("and writes, deletes and reads nothing else")
def _(world):
    with raises(HttpResponseError, **NOT_PERMITTED):
        bearer(world, world.signature).upload_blob(TEXT, overwrite=True)
    with raises(HttpResponseError, **NOT_PERMITTED):
        bearer(world, world.signature).delete_blob()
    with raises(ClientAuthenticationError, **NOT_PROVED):
        bearer(world, world.signature, "another.txt").download_blob()


@claim("with one bit of it changed, whichever, it is nobody's")
def _(world):
    front, signature = world.signature.split("sig=")
    whole = base64.b64decode(unquote(signature))
    for bit in (0, 7, 100, 255):
        bent = bytearray(whole)
        bent[bit // 8] ^= 1 << bit % 8
        with raises(ClientAuthenticationError, **NOT_PROVED):
            bearer(world, f"{front}sig={quote(base64.b64encode(bent), safe='')}").download_blob()
    for name, value in (("sp", "rw"), ("se", "2100-01-01T00:00:00Z"), ("rscd", "inline")):
        given = parse_qs(world.signature)[name][0]
        changed = world.signature.replace(f"{name}={quote(given)}", f"{name}={quote(value)}")
        assert changed != world.signature, name
        with raises(ClientAuthenticationError, **NOT_PROVED):
            bearer(world, changed).download_blob()


@claim("one that has expired, has not begun, or is for another address is refused")
def _(world):
    def signed(**options):
        names = blob_names(world)
        return generate_blob_sas(*names, account_key=world.storage_key, permission="r", **options)

    with raises(ClientAuthenticationError, **NOT_PROVED):
        bearer(world, signed(start=soon(-2), expiry=soon(-1))).download_blob()
    with raises(ClientAuthenticationError, **NOT_PROVED):
        bearer(world, signed(start=soon(1), expiry=soon(2))).download_blob()
    with raises(HttpResponseError, status_code=403, error_code="AuthorizationSourceIPMismatch"):
        bearer(world, signed(expiry=soon(), ip="168.1.5.60-168.1.5.70")).download_blob()


@claim("an account's signature does what its letters and types of resources say")
def _(world):
    options = {"resource_types": ResourceTypes(container=True), "permission": AccountSasPermissions(list=True)}
    token = generate_account_sas(world.storage_name, world.storage_key, expiry=soon(), **options)
    service = BlobServiceClient(host(world), credential=token)
    container = service.get_container_client(world.container_name)
    equal([it.name for it in container.list_blobs()], ["another.txt", NAME])
    with raises(HttpResponseError, status_code=403, error_code="AuthorizationResourceTypeMismatch"):
        container.get_blob_client(NAME).download_blob()
    with raises(HttpResponseError, **NOT_PERMITTED):
        container.get_container_properties()


@claim("a container's signature by a stored policy ends with the policy")
def _(world):
    container = world.by_key.get_container_client(world.container_name)
    policy = AccessPolicy(permission=ContainerSasPermissions(read=True, list=True), expiry=soon())
    container.set_container_access_policy({"readers": policy})
    equal([it.id for it in container.get_container_access_policy()["signed_identifiers"]], ["readers"])
    names = (world.storage_name, world.container_name)
    token = generate_container_sas(*names, account_key=world.storage_key, policy_id="readers")
    reader = ContainerClient(host(world), world.container_name, credential=token)
    equal(len(list(reader.list_blobs())), 2)
    container.set_container_access_policy({})
    with raises(ClientAuthenticationError, **NOT_PROVED):
        list(reader.list_blobs())


@claim("a user delegation key is the account's to give: a role on a container is not enough")
def _(world):
    world.as_machine = BlobServiceClient(host(world), credential=ManagedIdentityCredential())
    with raises(HttpResponseError, **NOT_PERMITTED):
        world.as_machine.get_user_delegation_key(soon(-1), soon())
    world.assign("Storage Blob Delegator", world.vm_principal, world.storage)
    world.delegation = world.as_machine.get_user_delegation_key(soon(-1), soon())
    equal(world.delegation.signed_oid, world.vm_principal)
    equal(world.delegation.signed_tid, world.tenant)


@claim("what the machine signs opens what the machine may open, for whoever holds it")
def _(world):
    blob = bearer(world, delegated(world, permission="rd"))
    equal(blob.download_blob().readall(), TEXT)
    token = delegated(world, permission="r", request_headers={"x-agreed": "one"})
    equal(bearer(world, token).download_blob(headers={"x-agreed": "one"}).readall(), TEXT)
    with raises(ClientAuthenticationError, **NOT_PROVED):
        bearer(world, token).download_blob(headers={"x-agreed": "another"})


@claim("and nothing any more once the machine has lost its roles")
def _(world):
    blob = bearer(world, delegated(world, permission="rd"))
    assignments = f"{world.storage}/providers/Microsoft.Authorization/roleAssignments"
    mine = {"$filter": f"principalId eq '{world.vm_principal}'"}
    for assignment in world.get(assignments, AUTHORIZATION, **mine)["value"]:
        world.delete(assignment["id"], AUTHORIZATION)
    below = f"{world.container}/providers/Microsoft.Authorization/roleAssignments"
    for assignment in world.get(below, AUTHORIZATION, **mine)["value"]:
        world.delete(assignment["id"], AUTHORIZATION)
    with raises(HttpResponseError, **NOT_PERMITTED):
        blob.download_blob()


@claim("without shared keys, no signature by one is taken")
def _(world):
    world.ask("PATCH", world.storage, STORAGE, {"properties": {"allowSharedKeyAccess": False}}).raise_for_status()
    with raises(HttpResponseError, status_code=403, error_code="KeyBasedAuthenticationNotPermitted"):
        bearer(world, world.signature).download_blob()
    world.ask("PATCH", world.storage, STORAGE, {"properties": {"allowSharedKeyAccess": True}}).raise_for_status()
    equal(bearer(world, world.signature).download_blob().readall(), TEXT)


def host(world):
    return f"https://{world.storage_name}.blob.core.windows.net"


def key(world):
    return {"account_name": world.storage_name, "account_key": world.storage_key}


def blob_names(world):
    return world.storage_name, world.container_name, NAME


def bearer(world, token, name=NAME):
    """Somebody who has a signature and nothing else."""
    return BlobClient(host(world), world.container_name, name, credential=token)


def delegated(world, **options):
    return generate_blob_sas(*blob_names(world), user_delegation_key=world.delegation, expiry=soon(), **options)


def soon(hours=1):
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=hours)
