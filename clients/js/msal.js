// @azure/msal-node, which the credentials stand on, asked directly. It knows no proxy variables: its users give it a
// network client of theirs, here the SDKs' own pipeline.

"use strict";

const crypto = require("node:crypto");

const { ConfidentialClientApplication, PublicClientApplication } = require("@azure/msal-node");

const { claims, equal, refused, send, SCOPE } = require("./world");

const STORAGE = "https://storage.azure.com/.default";

module.exports = {
  "an application's token comes from the cache the second time": async (world) => {
    const application = confidential(world, { clientId: world.client, clientSecret: world.secret });
    const [first, second] = [await ask(application), await ask(application)];
    equal([first.fromCache, second.fromCache], [false, true]);
    equal(claims(second.accessToken).appid, world.client);
  },

  "a certificate by its SHA-256 thumbprint does, and another key does not": async (world) => {
    const der = Buffer.from(world.certificate.base64, "base64");
    const thumbprintSha256 = crypto.createHash("sha256").update(der).digest("hex");
    const of = (privateKey) => confidential(world, {
      clientId: world.app,
      clientCertificate: { thumbprintSha256, privateKey },
    });
    equal(claims((await ask(of(world.certificate.key))).accessToken).appid, world.app);
    const format = { type: "pkcs8", format: "pem" };
    const stranger = crypto.generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export(format);
    await refused(ask(of(stranger)), { message: "invalid_client" });
  },

  "a person's tokens for other resources come without asking again": async (world) => {
    const application = new PublicClientApplication({ auth: auth(world, { clientId: world.app }), system });
    const first = await application.acquireTokenByDeviceCode({
      scopes: [SCOPE],
      deviceCodeCallback: (prompt) => world.enter(prompt.userCode),
    });
    equal([first.account.username, first.tenantId], [world.person.user_principal_name, world.tenant]);
    const other = await application.acquireTokenSilent({ account: first.account, scopes: [STORAGE] });
    equal([claims(other.accessToken).aud, other.fromCache], ["https://storage.azure.com", false]);
  },

  "an authority that nobody registered is refused": async (world) => {
    const application = confidential(world, {
      clientId: world.client,
      clientSecret: world.secret,
      authority: "https://login.microsoftonline.com/nobody.example",
    });
    await refused(ask(application), { message: "90002" });
  },
};

async function throughPipeline(method, url, { headers = {}, body } = {}) {
  const answer = await send(method, url, headers, body);
  return { status: answer.status, headers: answer.headers.toJSON(), body: JSON.parse(answer.bodyAsText) };
}

const system = {
  networkClient: {
    sendGetRequestAsync: (url, options) => throughPipeline("GET", url, options),
    sendPostRequestAsync: (url, options) => throughPipeline("POST", url, options),
  },
};

function auth(world, options) {
  return { authority: `https://login.microsoftonline.com/${world.tenant}`, ...options };
}

function confidential(world, options) {
  return new ConfidentialClientApplication({ auth: auth(world, options), system });
}

function ask(application) {
  return application.acquireTokenByClientCredential({ scopes: [SCOPE] });
}
