// A program of its own, for a process or a machine of its own: prints who its managed identity's token says it is, and
// what Resource Manager answers to it. A client id behind the group names another identity of the same host.

"use strict";

const { createDefaultHttpClient, createPipelineFromOptions, createPipelineRequest } = require("@azure/core-rest-pipeline");
const { ManagedIdentityCredential } = require("@azure/identity");

async function main(group, clientId) {
  const credential = clientId ? new ManagedIdentityCredential({ clientId }) : new ManagedIdentityCredential();
  const { token } = await credential.getToken("https://management.azure.com/.default");
  const url = `https://management.azure.com${group}?api-version=2021-04-01`;
  const request = createPipelineRequest({ url });
  request.headers.set("Authorization", `Bearer ${token}`);
  const answer = await createPipelineFromOptions({}).sendRequest(createDefaultHttpClient(), request);
  const { oid } = JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
  return { oid, status: answer.status, name: JSON.parse(answer.bodyAsText).name };
}

main(...process.argv.slice(2))
  .catch((error) => ({ error: error.message }))
  .then((found) => console.log(JSON.stringify(found)));
