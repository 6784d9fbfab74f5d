// @azure/storage-blob with the machine's token, and with the account's key.

"use strict";

const { ManagedIdentityCredential } = require("@azure/identity");
const { BlobServiceClient, StorageSharedKeyCredential } = require("@azure/storage-blob");

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
    const container = service(new StorageSharedKeyCredential(NAME, keys[0].value)).getContainerClient("reports");
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
};

function service(credential) {
  return new BlobServiceClient(`https://${NAME}.blob.core.windows.net`, credential);
}
