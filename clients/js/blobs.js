// @azure/storage-blob with the machine's token, and with the account's key.

"use strict";

const { ManagedIdentityCredential } = require("@azure/identity");
const {
  AccountSASPermissions,
  BlobClient,
  BlobSASPermissions,
  BlobServiceClient,
  ContainerClient,
  ContainerSASPermissions,
  StorageSharedKeyCredential,
  generateAccountSASQueryParameters,
  generateBlobSASQueryParameters,
} = require("@azure/storage-blob");

const { equal, refused, BLOB_CONTRIBUTOR, LOCATION } = require("./world");

const NAME = "zaffrejs";
const VERSION = "2023-01-01";
const TEXT = "what the machine had to say\n";

module.exports = {
  "the account's key makes a container and writes a blob": async (world) => {
    world.account = `${world.group}/providers/Microsoft.Storage/storageAccounts/${NAME}`;
    const body = { sku: { name: "Standard_LRS" }, kind: "StorageV2", location: LOCATION, properties: {} };
    await world.arm("PUT", world.account, VERSION, body);
    const { keys } = await world.arm("POST", `${world.account}/listKeys`, VERSION);
    world.key = new StorageSharedKeyCredential(NAME, keys[0].value);
    const container = service(world.key).getContainerClient("reports");
    await container.create();
    await container.getBlockBlobClient("one.txt").upload(TEXT, Buffer.byteLength(TEXT));
  },

  "before a role is assigned, the machine may not read it": async (world) => {
    world.container = service(new ManagedIdentityCredential()).getContainerClient("reports");
    const expected = { statusCode: 403, code: "AuthorizationPermissionMismatch" };
    await refused(world.container.getBlobClient("one.txt").download(), expected);
  },

  "with Storage Blob Data Contributor it reads, writes, lists and deletes": async (world) => {
    await world.assign(BLOB_CONTRIBUTOR, world.principal, world.account);
    equal((await world.container.getBlobClient("one.txt").downloadToBuffer()).toString(), TEXT);
    await world.container.getBlockBlobClient("two.txt").upload(TEXT, Buffer.byteLength(TEXT));
    const names = async () => {
      const found = [];
      for await (const blob of world.container.listBlobsFlat()) found.push(blob.name);
      return found;
    };
    equal(await names(), ["one.txt", "two.txt"]);
    await world.container.deleteBlob("one.txt");
    equal(await names(), ["two.txt"]);
  },

  "a blob's signature reads that blob and no other, and does not delete it": async (world) => {
    world.link = signed({ blobName: "two.txt", permissions: BlobSASPermissions.parse("r") }, world.key);
    equal((await new BlobClient(world.link).downloadToBuffer()).toString(), TEXT);
    await refused(new BlobClient(world.link.replace("two.txt", "one.txt")).download(), NOT_PROVED);
    await refused(new BlobClient(world.link).delete(), NOT_PERMITTED);
  },

  "with one bit of it changed it is nobody's": async (world) => {
    const [front, signature] = world.link.split("sig=");
    const bytes = Buffer.from(decodeURIComponent(signature), "base64");
    for (const bit of [0, 100, 255]) {
      const bent = Buffer.from(bytes);
      bent[bit >> 3] ^= 1 << (bit & 7);
      const link = `${front}sig=${encodeURIComponent(bent.toString("base64"))}`;
      await refused(new BlobClient(link).download(), NOT_PROVED);
    }
  },

  "an account's signature and a container's list": async (world) => {
    const permissions = AccountSASPermissions.parse("l");
    const terms = { expiresOn: soon(), permissions, services: "b", resourceTypes: "c" };
    const token = generateAccountSASQueryParameters(terms, world.key);
    equal(await count(new ContainerClient(`https://${NAME}.blob.core.windows.net/reports?${token}`)), 1);
    const link = signed({ permissions: ContainerSASPermissions.parse("l") }, world.key);
    equal(await count(new ContainerClient(link)), 1);
    await refused(new ContainerClient(link).getProperties(), { statusCode: 403, code: "AuthorizationFailure" });
  },

  "what the machine signs with its own key opens what it may open": async (world) => {
    const key = await service(new ManagedIdentityCredential()).getUserDelegationKey(soon(-1), soon());
    equal(key.signedObjectId, world.principal);
    const link = signed({ blobName: "two.txt", permissions: BlobSASPermissions.parse("r") }, key, NAME);
    equal((await new BlobClient(link).downloadToBuffer()).toString(), TEXT);
    await world.arm("POST", `${world.account}/revokeUserDelegationKeys`, VERSION);
    await refused(new BlobClient(link).download(), NOT_PROVED);
  },
};

const NOT_PROVED = { statusCode: 403, code: "AuthenticationFailed" };
const NOT_PERMITTED = { statusCode: 403, code: "AuthorizationPermissionMismatch" };

/// The address of a blob, or of the container, with a signature for it.
function signed(terms, ...by) {
  const query = generateBlobSASQueryParameters({ containerName: "reports", expiresOn: soon(), ...terms }, ...by);
  const name = terms.blobName ? `/${terms.blobName}` : "";
  return `https://${NAME}.blob.core.windows.net/reports${name}?${query}`;
}

function soon(hours = 1) {
  return new Date(Date.now() + hours * 3600 * 1000);
}

async function count(container) {
  let found = 0;
  for await (const _ of container.listBlobsFlat()) found += 1;
  return found;
}

function service(credential) {
  return new BlobServiceClient(`https://${NAME}.blob.core.windows.net`, credential);
}
