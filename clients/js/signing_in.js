// @azure/identity: every credential that is not a machine's.

"use strict";

const { writeFileSync } = require("node:fs");
const path = require("node:path");

const {
  ClientAssertionCredential,
  ClientCertificateCredential,
  ClientSecretCredential,
  DefaultAzureCredential,
  DeviceCodeCredential,
  UsernamePasswordCredential,
  WorkloadIdentityCredential,
} = require("@azure/identity");

const { claims, equal, refused, SCOPE } = require("./world");

module.exports = {
  "an application signs in with its secret": async (world) => {
    const { token } = await world.credential.getToken(SCOPE);
    const { tid, appid, appidacr } = claims(token);
    equal([tid, appid, appidacr], [world.tenant, world.client, "1"]);
  },

  "a wrong secret is refused as AADSTS7000215": async (world) => {
    const credential = new ClientSecretCredential(world.tenant, world.client, "not the secret");
    await refused(credential.getToken(SCOPE), { message: "AADSTS7000215" });
  },

  "the default credential takes the application that the environment names": async (world) => {
    equal(claims((await new DefaultAzureCredential().getToken(SCOPE)).token).appid, world.client);
  },

  "an application signs in with its certificate": async (world) => {
    const credential = new ClientCertificateCredential(world.tenant, world.app, world.certificate.file);
    const { appid, appidacr } = claims((await credential.getToken(SCOPE)).token);
    equal([appid, appidacr], [world.app, "2"]);
  },

  "an application signs in with another issuer's token": async (world) => {
    const credential = new ClientAssertionCredential(world.tenant, world.app, () => world.assertion());
    equal(claims((await credential.getToken(SCOPE)).token).appid, world.app);
  },

  "a workload reads that token from its file": async (world) => {
    const tokenFilePath = path.join(world.folder, "token");
    writeFileSync(tokenFilePath, await world.assertion());
    const options = { tenantId: world.tenant, clientId: world.app, tokenFilePath };
    equal(claims((await new WorkloadIdentityCredential(options).getToken(SCOPE)).token).appid, world.app);
  },

  "a token about somebody else is refused as AADSTS700213": async (world) => {
    const other = new ClientAssertionCredential(world.tenant, world.app, () => world.assertion());
    const own = async () => (await other.getToken("api://AzureADTokenExchange/.default")).token;
    const credential = new ClientAssertionCredential(world.tenant, world.app, own);
    await refused(credential.getToken(SCOPE), { message: "AADSTS700213" });
  },

  "a person signs in on another device": async (world) => {
    const userPromptCallback = (prompt) => world.enter(prompt.userCode);
    const credential = new DeviceCodeCredential({ tenantId: world.tenant, clientId: world.app, userPromptCallback });
    const { upn, idtyp } = claims((await credential.getToken(SCOPE)).token);
    equal([upn, idtyp], [world.person.user_principal_name, "user"]);
  },

  "a person signs in by name and password, and a wrong one is refused": async (world) => {
    const { user_principal_name: name, password } = world.person;
    const credential = new UsernamePasswordCredential(world.tenant, world.app, name, password);
    equal(claims((await credential.getToken(SCOPE)).token).upn, name);
    const wrong = new UsernamePasswordCredential(world.tenant, world.app, name, "wrong");
    await refused(wrong.getToken(SCOPE), { message: "AADSTS50126" });
  },
};
