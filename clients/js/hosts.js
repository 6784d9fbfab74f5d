// Other hosts than virtual machines: `zaffre env --host-kind` sets what each of them sets, and the client finds out from
// that whom to ask and what to show. Each asks from a process of its own: one that has asked once goes on asking that way.

"use strict";

const { execFileSync, spawnSync } = require("node:child_process");
const fs = require("node:fs");

const { equal, zaffre, LOCATION, READER } = require("./world");

const ARC_TOKENS = "/var/opt/azcmagent/tokens";
const STRANGER = "99999999-9999-9999-9999-999999999999";
// What hosts set, and what would say otherwise who one is.
const OF_HOSTS = /^(IDENTITY|MSI|IMDS|DEFAULT_IDENTITY|AZURE_CLIENT|AZURE_FEDERATED|AZURE_AUTHORITY)_/;

module.exports = {
  "a web site and a connected machine get identities like any resource": async (world) => {
    const identity = { type: "SystemAssigned, UserAssigned", userAssignedIdentities: { [world.identity.id]: {} } };
    const make = async (type) => {
      const at = `${world.group}/providers/${type}/jsHost`;
      const made = await world.arm("PUT", at, "2023-12-01", { location: LOCATION, identity });
      await world.assign(READER, made.identity.principalId, world.group);
      return made;
    };
    world.site = await make("Microsoft.Web/sites");
    world.connected = await make("Microsoft.HybridCompute/machines");
    await world.assign(READER, world.identity.principalId, world.group);
  },

  "App Service, Functions and Container Apps: the client finds the endpoint and shows the header": async (world) => {
    for (const kind of ["app-service", "functions", "container-apps"]) {
      const site = hosted(kind, world.site.id);
      equal(asked(world, site).oid, world.site.identity.principalId);
      equal(asked(world, site, world.identity.clientId).oid, world.identity.principalId);
    }
  },

  "an identity that the site does not have is refused, and so is a wrong secret": async (world) => {
    const site = hosted("app-service", world.site.id);
    equal(typeof asked(world, site, STRANGER).error, "string");
    equal(typeof asked(world, { ...site, IDENTITY_HEADER: "wrong" }).error, "string");
  },

  "Azure Arc: the client reads the challenge's file where the agent writes it": async (world) => {
    const made = fs.existsSync(ARC_TOKENS) ? undefined : madeFolder();
    if (made === null) return equal(refusedEnv("arc", world.connected.id).includes("sudo install"), true);
    try {
      const machine = hosted("arc", world.connected.id);
      equal(asked(world, machine).oid, world.connected.identity.principalId);
      equal(asked(world, machine, world.identity.clientId).oid, world.identity.principalId);
      equal(fs.readdirSync(ARC_TOKENS), []);
    } finally {
      if (made) fs.rmSync(made, { recursive: true });
    }
  },
};

// The environment of a program there.
function hosted(kind, whom) {
  const own = Object.entries(process.env).filter(([name]) => !OF_HOSTS.test(name));
  return { ...Object.fromEntries(own), ...JSON.parse(zaffre("env", "--format", "json", "--host-kind", kind, "--as", whom)) };
}

function refusedEnv(kind, whom) {
  const { status, stderr } = spawnSync(process.env.ZAFFRE, ["env", "--host-kind", kind, "--as", whom], { encoding: "utf8" });
  equal(status === 0, false);
  return stderr;
}

// Who the client says it is there, and what it may read.
function asked(world, env, ...client) {
  return JSON.parse(execFileSync("node", [`${__dirname}/whoami.js`, world.group, ...client], { encoding: "utf8", env }));
}

// The first folder that had to be made for it; null where this user may not.
function madeFolder() {
  try {
    return fs.mkdirSync(ARC_TOKENS, { recursive: true, mode: 0o700 }) ?? null;
  } catch {
    return null;
  }
}
