"""azure-storage-blob: by the machine's token, by the account's key."""

from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.identity import ManagedIdentityCredential
from azure.storage.blob import BlobServiceClient, ContentSettings

from claims import chapter, equal, raises
from world import STORAGE

CLAIMS, claim = chapter()

TEXT = "what the machine had to say\n".encode()
BIG = bytes(range(256)) * (5 * 1024 * 1024 // 256)


@claim("before a role is assigned, the machine may not read a blob")
def _(world):
    world.blobs = service(world, ManagedIdentityCredential())
    with raises(HttpResponseError, status_code=403, error_code="AuthorizationPermissionMismatch"):
        blob(world, "hello.txt").download_blob()


@claim("the account's key writes a blob and reads it back, with its type and metadata")
def _(world):
    world.by_key = service(world, {"account_name": world.storage_name, "account_key": world.storage_key})
    hello = world.by_key.get_blob_client(world.container_name, "hello.txt")
    hello.upload_blob(TEXT, content_settings=ContentSettings(content_type="text/plain"), metadata={"by": "python"})
    equal(hello.download_blob().readall(), TEXT)
    properties = hello.get_blob_properties()
    equal((properties.content_settings.content_type, properties.metadata), ("text/plain", {"by": "python"}))
    equal(properties.size, len(TEXT))


@claim("a wrong key is refused")
def _(world):
    stranger = service(world, {"account_name": world.storage_name, "account_key": "AAAA" + world.storage_key[4:]})
    with raises(ClientAuthenticationError, status_code=403, error_code="AuthenticationFailed"):
        list(stranger.get_container_client(world.container_name).list_blobs())


@claim("Storage Blob Data Reader on the container lets the machine read and list, and not write")
def _(world):
    world.assign("Storage Blob Data Reader", world.vm_principal, world.container)
    equal(blob(world, "hello.txt").download_blob().readall(), TEXT)
    equal(names(world), ["hello.txt"])
    with raises(HttpResponseError, status_code=403, error_code="AuthorizationPermissionMismatch"):
        blob(world, "refused.txt").upload_blob(TEXT)
    equal(names(world), ["hello.txt"])


@claim("Owner of the group does not read a blob: management is not data")
def _(world):
    administrator = service(world, world.credential)
    with raises(HttpResponseError, status_code=403, error_code="AuthorizationPermissionMismatch"):
        administrator.get_blob_client(world.container_name, "hello.txt").download_blob()


@claim("Storage Blob Data Contributor lets the machine upload, overwrite, list by prefix and delete")
def _(world):
    world.assign("Storage Blob Data Contributor", world.vm_principal, world.container)
    for name in ("2026/one.txt", "2026/two.txt", "big.bin"):
        blob(world, name).upload_blob(BIG if name == "big.bin" else TEXT)
    equal(names(world, name_starts_with="2026/"), ["2026/one.txt", "2026/two.txt"])
    with raises(ResourceExistsError, status_code=409, error_code="BlobAlreadyExists"):
        blob(world, "2026/one.txt").upload_blob(TEXT)
    blob(world, "2026/one.txt").upload_blob(b"", overwrite=True)
    equal(blob(world, "2026/one.txt").download_blob().readall(), b"")


@claim("a blob of five mebibytes comes back whole, and a range of it as asked")
def _(world):
    equal(blob(world, "big.bin").download_blob().readall() == BIG, True)
    equal(blob(world, "big.bin").download_blob(offset=1000, length=300).readall(), BIG[1000:1300])


@claim("a deleted blob is not found")
def _(world):
    for name in names(world):
        blob(world, name).delete_blob()
    equal(names(world), [])
    with raises(ResourceNotFoundError, status_code=404, error_code="BlobNotFound"):
        blob(world, "hello.txt").download_blob()


@claim("the key makes and deletes a container; what is made twice or missing says so")
def _(world):
    drafts = world.by_key.get_container_client("drafts")
    drafts.create_container()
    with raises(ResourceExistsError, status_code=409, error_code="ContainerAlreadyExists"):
        drafts.create_container()
    drafts.delete_container()
    with raises(ResourceNotFoundError, status_code=404, error_code="ContainerNotFound"):
        world.by_key.get_container_client("missing").get_container_properties()


@claim("a regenerated key takes the old one's place at once")
def _(world):
    world.post(f"{world.storage}/regenerateKey", STORAGE, {"keyName": "key1"})
    with raises(ClientAuthenticationError, status_code=403, error_code="AuthenticationFailed"):
        list(world.by_key.get_container_client(world.container_name).list_blobs())


def service(world, credential):
    return BlobServiceClient(f"https://{world.storage_name}.blob.core.windows.net", credential=credential)


def blob(world, name):
    return world.blobs.get_blob_client(world.container_name, name)


def names(world, **options):
    return [it.name for it in world.blobs.get_container_client(world.container_name).list_blobs(**options)]
