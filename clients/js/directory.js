// A program of its own, for a machine of its own: Microsoft Graph's SDK as the machine's identity. Prints what it read.

"use strict";

const { ManagedIdentityCredential } = require("@azure/identity");
const { BatchRequestContent, BatchResponseContent, Client, PageIterator } = require("@microsoft/microsoft-graph-client");
const {
  TokenCredentialAuthenticationProvider,
} = require("@microsoft/microsoft-graph-client/authProviders/azureTokenCredentials");

async function main() {
  const scopes = ["https://graph.microsoft.com/.default"];
  const authProvider = new TokenCredentialAuthenticationProvider(new ManagedIdentityCredential(), { scopes });
  const client = Client.initWithMiddleware({ authProvider });
  const groups = () => client.api("/groups").filter("startsWith(displayName,'js-')").select("id,displayName");

  const paged = [];
  const keep = (group) => paged.push(group.displayName) > 0;
  await new PageIterator(client, await groups().top(2).get(), keep).iterate();

  const counted = await groups().header("ConsistencyLevel", "eventual").count(true).top(1).get();

  // A request of Node's own cannot be for a path alone, which is what a batch wants.
  const requests = ["/organization", "/users/nobody@contoso.onmicrosoft.com"];
  const request = (url) => ({ url, method: "GET", headers: new Headers() });
  const batch = new BatchRequestContent(requests.map((at, id) => ({ id: `${id}`, request: request(at) })));
  const answers = new BatchResponseContent(await client.api("/$batch").post(await batch.getContent()));
  const statuses = requests.map((_, id) => answers.getResponseById(`${id}`).status);

  const absent = await client.api("/groups/99999999-9999-9999-9999-999999999999").get().catch((error) => error);
  return { paged: paged.sort(), count: counted["@odata.count"], statuses, absent: [absent.statusCode, absent.code] };
}

main()
  .catch((error) => ({ refused: [error.statusCode, error.code], error: error.message }))
  .then((found) => console.log(JSON.stringify(found)));
