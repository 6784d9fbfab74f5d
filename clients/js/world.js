// What the claims share: plain requests through the SDKs' own pipeline, and what was made with them.

"use strict";

const { execFileSync } = require("node:child_process");
const { mkdtempSync, readFileSync, writeFileSync } = require("node:fs");
const os = require("node:os");
const path = require("node:path");

const { createDefaultHttpClient, createPipelineFromOptions, createPipelineRequest } = require("@azure/core-rest-pipeline");
const { ClientSecretCredential } = require("@azure/identity");

const ARM = "https://management.azure.com";
const GRAPH = "https://graph.microsoft.com";
const EXCHANGE = "api://AzureADTokenExchange";
const SCOPE = `${ARM}/.default`;
const DEVICE_PAGE = "https://login.microsoftonline.com/common/oauth2/deviceauth";
const READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
const BLOB_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe";
const LOCATION = "westeurope";

class World {
  /// The default cloud, seen as its administrator's application, with an application of ours that proves itself in
  /// every way.
  static async begin() {
    const world = new World();
    world.tenant = process.env.AZURE_TENANT_ID;
    world.client = process.env.AZURE_CLIENT_ID;
    world.secret = process.env.AZURE_CLIENT_SECRET;
    world.credential = new ClientSecretCredential(world.tenant, world.client, world.secret);
    world.group = `/subscriptions/${process.env.AZURE_SUBSCRIPTION_ID}/resourceGroups/js`;
    world.person = JSON.parse(zaffre("credentials", "--json"));
    world.folder = mkdtempSync(path.join(os.tmpdir(), "zaffre-js-"));
    await world.#makeApplication();
    return world;
  }

  async #makeApplication() {
    this.certificate = certificate(this.folder);
    const application = await this.graph("POST", "/applications", {
      displayName: "js",
      isFallbackPublicClient: true,
      keyCredentials: [{ type: "AsymmetricX509Cert", usage: "Verify", key: this.certificate.base64 }],
    });
    this.app = application.appId;
    await this.graph("POST", "/servicePrincipals", { appId: this.app });
    const subject = claims((await this.credential.getToken(SCOPE)).token).oid;
    await this.graph("POST", `/applications/${application.id}/federatedIdentityCredentials`, {
      name: "administrator",
      issuer: `https://login.microsoftonline.com/${this.tenant}/v2.0`,
      subject,
      audiences: [EXCHANGE],
    });
  }

  /// A token of another issuer, as far as the application knows: this tenant's, about its administrator.
  async assertion() {
    return (await this.credential.getToken(`${EXCHANGE}/.default`)).token;
  }

  async graph(method, at, body) {
    return this.ask(method, `${GRAPH}/v1.0${at}`, `${GRAPH}/.default`, body);
  }

  async arm(method, at, version, body) {
    return this.ask(method, `${ARM}${at}?api-version=${version}`, SCOPE, body);
  }

  async ask(method, url, scope, body) {
    const { token } = await this.credential.getToken(scope);
    const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
    const answer = await send(method, url, headers, body && JSON.stringify(body));
    if (answer.status >= 300) throw new Error(`${method} ${url}: ${answer.status} ${answer.bodyAsText}`);
    return answer.bodyAsText ? JSON.parse(answer.bodyAsText) : {};
  }

  async assign(role, principalId, scope) {
    const id = `${process.env.AZURE_SUBSCRIPTION_ID}/providers/Microsoft.Authorization/roleDefinitions/${role}`;
    const properties = { roleDefinitionId: `/subscriptions/${id}`, principalId, principalType: "ServicePrincipal" };
    const at = `${scope}/providers/Microsoft.Authorization/roleAssignments/${crypto.randomUUID()}`;
    await this.arm("PUT", at, "2022-04-01", { properties });
  }

  /// What the person does with a device's code, in a browser.
  async enter(code) {
    const form = { username: this.person.user_principal_name, password: this.person.password, user_code: code };
    const headers = { "Content-Type": "application/x-www-form-urlencoded" };
    const page = await send("POST", DEVICE_PAGE, headers, new URLSearchParams(form).toString());
    if (!page.bodyAsText.includes("You may now close this window")) throw new Error(page.bodyAsText);
  }
}

function send(method, url, headers, body) {
  const request = createPipelineRequest({ method, url, body });
  for (const [name, value] of Object.entries(headers)) request.headers.set(name, value);
  return createPipelineFromOptions({}).sendRequest(createDefaultHttpClient(), request);
}

function zaffre(...words) {
  return execFileSync(process.env.ZAFFRE, words, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
}

/// A self-signed certificate: its file with the key, and its DER in base64.
function certificate(folder) {
  const [key, crt, file] = ["key", "crt", "pem"].map((it) => path.join(folder, `js.${it}`));
  const words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=js", "-days", "2"];
  execFileSync("openssl", [...words, "-keyout", key, "-out", crt], { stdio: "ignore" });
  const [secret, text] = [key, crt].map((it) => readFileSync(it, "utf8"));
  writeFileSync(file, secret + text);
  return { file, key: secret, text, base64: text.replace(/-----[A-Z ]+-----|\s/g, "") };
}

/// A token's claims, unverified.
function claims(token) {
  return JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
}

function equal(found, expected) {
  const [one, other] = [found, expected].map((it) => JSON.stringify(it));
  if (one !== other) throw new Error(`found ${one}, expected ${other}`);
}

/// The promise fails, and its error's text or its fields hold these.
async function refused(promise, expected) {
  let error = null;
  await promise.catch((it) => (error = it));
  if (error === null) throw new Error(`nothing was refused, expected ${JSON.stringify(expected)}`);
  for (const [name, value] of Object.entries(expected)) {
    const found = name === "message" ? String(error.message).includes(value) : error[name] === value;
    if (!found) throw new Error(`not ${name} ${value}: ${error.message}`);
  }
}

module.exports = { World, send, zaffre, claims, equal, refused, SCOPE, EXCHANGE, READER, BLOB_CONTRIBUTOR, LOCATION };
