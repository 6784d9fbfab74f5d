// Managed identities: a process of the host as a machine, by its proxy's secret; and inside the machine.

"use strict";

const { execFileSync } = require("node:child_process");

const { DefaultAzureCredential, ManagedIdentityCredential } = require("@azure/identity");

const { claims, equal, zaffre, LOCATION, READER, SCOPE } = require("./world");

module.exports = {
  "a machine with two identities is made": async (world) => {
    await world.arm("PUT", world.group, "2021-04-01", { location: LOCATION });
    const at = `${world.group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/jsIdentity`;
    world.identity = { id: at, ...(await world.arm("PUT", at, "2023-01-31", { location: LOCATION })).properties };
    world.vm = `${world.group}/providers/Microsoft.Compute/virtualMachines/jsVM`;
    const made = await world.arm("PUT", world.vm, "2024-07-01", {
      location: LOCATION,
      identity: { type: "SystemAssigned, UserAssigned", userAssignedIdentities: { [at]: {} } },
      properties: { hardwareProfile: { vmSize: "Standard_D2s_v5" } },
    });
    world.principal = made.identity.principalId;
    await world.assign(READER, world.principal, world.group);
  },

  // In a process of its own: one that has asked once goes on asking the way it did.
  "a client that is no machine has no identity": async (world) => {
    const { error } = JSON.parse(execFileSync("node", [`${__dirname}/whoami.js`, world.group], { encoding: "utf8" }));
    equal(error.includes("Identity not found"), true);
  },

  "with the machine's own proxy secret, the same client is that machine": async (world) => {
    Object.assign(process.env, JSON.parse(zaffre("env", "--format", "json", "--as-vm", "jsVM")));
    const { oid, xms_mirid } = claims((await new ManagedIdentityCredential().getToken(SCOPE)).token);
    equal([oid, xms_mirid.toLowerCase()], [world.principal, world.vm.toLowerCase()]);
  },

  "the user-assigned identity is asked for by any of its names": async (world) => {
    const { clientId, principalId, id } = world.identity;
    for (const name of [{ clientId }, { objectId: principalId }, { resourceId: id }]) {
      const { token } = await new ManagedIdentityCredential(name).getToken(SCOPE);
      equal(claims(token).oid, principalId);
    }
  },

  "without an application in the environment, the default credential is the machine": async (world) => {
    const { AZURE_CLIENT_ID, AZURE_CLIENT_SECRET } = process.env;
    delete process.env.AZURE_CLIENT_ID;
    delete process.env.AZURE_CLIENT_SECRET;
    const { token } = await new DefaultAzureCredential().getToken(SCOPE);
    Object.assign(process.env, { AZURE_CLIENT_ID, AZURE_CLIENT_SECRET });
    equal(claims(token).oid, world.principal);
  },

  "inside the guest, nothing but the place says who asks": async (world) => {
    const lent = [`${process.env.NODE_PATH}:ro`, `${__dirname}:ro`].flatMap((it) => ["--share", it]);
    const inside = ["env", `NODE_PATH=${process.env.NODE_PATH}`, "node", `${__dirname}/whoami.js`];
    const came = JSON.parse(zaffre("vm", "exec", "--root", ...lent, "jsVM", "--", ...inside, world.group));
    equal([came.oid, came.status, came.name], [world.principal, 200, "js"]);
  },
};
