// Microsoft Graph's SDK inside a guest, where its host's name is this cloud's and the machine is who asks.

"use strict";

const { equal, zaffre } = require("./world");

const GRAPH = "00000003-0000-0000-c000-000000000000";

module.exports = {
  "a machine that was given no role on Graph reads nothing": async (world) => {
    equal(inside().refused, [403, "Authorization_RequestDenied"]);
  },

  "with Directory.Read.All it reads page by page, counts, asks for many things at once, and hears what is absent": async (world) => {
    const found = await world.graph("GET", `/servicePrincipals?$filter=appId eq '${GRAPH}'`);
    const { id: resourceId, appRoles } = found.value[0];
    const { id: appRoleId } = appRoles.find((it) => it.value === "Directory.Read.All");
    const given = { principalId: world.principal, resourceId, appRoleId };
    await world.graph("POST", `/servicePrincipals/${world.principal}/appRoleAssignments`, given);
    const names = ["js-1", "js-2", "js-3"];
    for (const displayName of names) {
      await world.graph("POST", "/groups", { displayName, mailNickname: displayName, mailEnabled: false, securityEnabled: true });
    }
    const { paged, count, statuses, absent, error } = inside();
    equal(error, undefined);
    equal([paged, count, statuses], [names, 3, [200, 404]]);
    equal(absent, [404, "Request_ResourceNotFound"]);
  },
};

// What the program says in the machine.
function inside() {
  const lent = [`${process.env.NODE_PATH}:ro`, `${__dirname}:ro`].flatMap((it) => ["--share", it]);
  const program = ["env", `NODE_PATH=${process.env.NODE_PATH}`, "node", `${__dirname}/directory.js`];
  return JSON.parse(zaffre("vm", "exec", "--root", ...lent, "jsVM", "--", ...program));
}
