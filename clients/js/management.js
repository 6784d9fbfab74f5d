// Azure's management libraries, taking the tutorials' steps: a machine and what it will want are made, its identities
// are granted the one and the other by their principals, and all of it goes with its group.
//
// The administrator's application takes the steps. What they granted is shown as the machine, by tokens that it asks
// for inside.

"use strict";

const { createHmac } = require("node:crypto");

const { AuthorizationManagementClient } = require("@azure/arm-authorization");
const { ComputeManagementClient } = require("@azure/arm-compute");
const { CosmosDBManagementClient } = require("@azure/arm-cosmosdb");
const { ManagementLockClient } = require("@azure/arm-locks");
const { ManagedServiceIdentityClient } = require("@azure/arm-msi");
const { NetworkManagementClient } = require("@azure/arm-network");
const { ResourceManagementClient } = require("@azure/arm-resources");
const { DeploymentsClient } = require("@azure/arm-resourcesdeployments");
const { StorageManagementClient } = require("@azure/arm-storage");
const { BlobServiceClient, StorageSharedKeyCredential } = require("@azure/storage-blob");

const { equal, refused, send, zaffre, LOCATION } = require("./world");

const GROUP = "jsManaged";
const IN_GROUP = `/subscriptions/${process.env.AZURE_SUBSCRIPTION_ID}/resourceGroups/${GROUP}`;
const VM = "jsManagedVM";
const STORAGE = "zaffrejsmanaged";
const STORAGE_ID = `${IN_GROUP}/providers/Microsoft.Storage/storageAccounts/${STORAGE}`;
const CONTAINER_ID = `${STORAGE_ID}/blobServices/default/containers/letters`;
const COSMOS = "zaffre-js-managed";
const COSMOS_ID = `${IN_GROUP}/providers/Microsoft.DocumentDB/databaseAccounts/${COSMOS}`;
const ORDERS = "dbs/shop/colls/orders";
const TEXT = "what the administrator left\n";
const SSH_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGZvciB0ZXN0cyBhbG9uZSwgbm9ib2R5IGhhcyBpdHM= nobody";
const NOT_ALLOWED = { statusCode: 403, code: "AuthorizationFailed" };

module.exports = {
  "a resource group is made, and is there in whatever case": async (world) => {
    world.administrator = clients(world.credential);
    const { resourceGroups } = world.administrator.resources;
    equal((await resourceGroups.checkExistence(GROUP)).body, false);
    const made = await resourceGroups.createOrUpdate(GROUP, { location: LOCATION, tags: { by: "js" } });
    equal([made.id, made.location, made.properties.provisioningState], [IN_GROUP, LOCATION, "Succeeded"]);
    equal((await resourceGroups.checkExistence(GROUP.toUpperCase())).body, true);
    equal((await resourceGroups.get(GROUP)).tags, { by: "js" });
  },

  "a user-assigned identity is made, of this tenant and with a principal of its own": async (world) => {
    const { userAssignedIdentities } = world.administrator.identities;
    world.shared = await userAssignedIdentities.createOrUpdate(GROUP, "shared", { location: LOCATION });
    const { clientId, principalId, tenantId } = world.shared;
    equal([tenantId, clientId === principalId], [world.tenant, false]);
    const { appId, servicePrincipalType } = await world.graph("GET", `/servicePrincipals/${principalId}`);
    equal([appId, servicePrincipalType], [clientId, "ManagedIdentity"]);
    equal(await names(userAssignedIdentities.listByResourceGroup(GROUP)), ["shared"]);
  },

  "a network is made, and a subnet in it behind a security group": async (world) => {
    const { networkSecurityGroups, subnets, virtualNetworks } = world.administrator.network;
    const from = { sourceAddressPrefix: "*", sourcePortRange: "*" };
    const to = { destinationAddressPrefix: "*", destinationPortRange: "22" };
    const ssh = { name: "ssh", priority: 1000, direction: "Inbound", access: "Allow", protocol: "Tcp", ...from, ...to };
    const rules = { location: LOCATION, securityRules: [ssh] };
    const { id } = await networkSecurityGroups.beginCreateOrUpdateAndWait(GROUP, "guards", rules);
    const space = { location: LOCATION, addressSpace: { addressPrefixes: ["10.7.0.0/16"] } };
    await virtualNetworks.beginCreateOrUpdateAndWait(GROUP, "net", space);
    const guarded = { addressPrefix: "10.7.1.0/24", networkSecurityGroup: { id } };
    world.subnet = await subnets.beginCreateOrUpdateAndWait(GROUP, "net", "desks", guarded);
    equal(await names(subnets.list(GROUP, "net")), ["desks"]);
    const { defaultSecurityRules, securityRules, subnets: behind } = await networkSecurityGroups.get(GROUP, "guards");
    equal([securityRules[0].destinationPortRange, defaultSecurityRules.length], ["22", 6]);
    equal(behind.map((it) => it.id), [world.subnet.id]);
  },

  "an interface has an address of that subnet, and a public one": async (world) => {
    const { networkInterfaces, publicIPAddresses } = world.administrator.network;
    const fixed = { location: LOCATION, sku: { name: "Standard" }, publicIPAllocationMethod: "Static" };
    const { id, ipAddress } = await publicIPAddresses.beginCreateOrUpdateAndWait(GROUP, "door", fixed);
    equal(/^\d+\.\d+\.\d+\.\d+$/.test(ipAddress), true);
    const addresses = [{ name: "first", subnet: { id: world.subnet.id }, publicIPAddress: { id } }];
    const wanted = { location: LOCATION, ipConfigurations: addresses };
    world.nic = await networkInterfaces.beginCreateOrUpdateAndWait(GROUP, "nic", wanted);
    equal(world.nic.ipConfigurations[0].privateIPAddress, "10.7.1.4");
    const { ipConfiguration } = await publicIPAddresses.get(GROUP, "door");
    equal(ipConfiguration.id, world.nic.ipConfigurations[0].id);
  },

  "a machine is made with an identity of its own and the user-assigned one": async (world) => {
    const { virtualMachines } = world.administrator.compute;
    const made = await virtualMachines.beginCreateOrUpdateAndWait(GROUP, VM, machine(world));
    const { type, principalId, userAssignedIdentities } = made.identity;
    equal([made.provisioningState, type], ["Succeeded", "SystemAssigned, UserAssigned"]);
    const [[key, assigned]] = Object.entries(userAssignedIdentities);
    equal([key.toLowerCase(), assigned.principalId], [world.shared.id.toLowerCase(), world.shared.principalId]);
    equal(made.timeCreated instanceof Date, true);
    world.machine = { id: made.id, principalId };
    equal((await world.administrator.network.networkInterfaces.get(GROUP, "nic")).virtualMachine.id, made.id);
    equal(await names(virtualMachines.list(GROUP)), [VM]);
  },

  "its instance view says that it runs, is stopped, and runs again": async (world) => {
    const { virtualMachines } = world.administrator.compute;
    const power = async () => (await virtualMachines.instanceView(GROUP, VM)).statuses.map((it) => it.code);
    equal(await power(), ["ProvisioningState/succeeded", "PowerState/running"]);
    await virtualMachines.beginPowerOffAndWait(GROUP, VM);
    equal(await power(), ["ProvisioningState/succeeded", "PowerState/stopped"]);
    await virtualMachines.beginStartAndWait(GROUP, VM);
    equal(await power(), ["ProvisioningState/succeeded", "PowerState/running"]);
  },

  "its own identity is taken away and a new one given, while the user-assigned one stays": async (world) => {
    const { virtualMachines } = world.administrator.compute;
    const userAssignedIdentities = { [world.shared.id]: {} };
    const update = async (type) =>
      (await virtualMachines.beginUpdateAndWait(GROUP, VM, { identity: { type, userAssignedIdentities } })).identity;
    const without = await update("UserAssigned");
    equal([without.type, without.principalId], ["UserAssigned", undefined]);
    await isGone(world, world.machine.principalId);
    const { principalId, userAssignedIdentities: assigned } = await update("SystemAssigned, UserAssigned");
    equal(Object.values(assigned).map((it) => it.principalId), [world.shared.principalId]);
    equal(principalId === world.machine.principalId, false);
    world.machine.principalId = principalId;
  },

  "a storage account is made, its name is taken, and its keys are its own": async (world) => {
    const { storageAccounts } = world.administrator.storage;
    const asked = { name: STORAGE, type: "Microsoft.Storage/storageAccounts" };
    equal((await storageAccounts.checkNameAvailability(asked)).nameAvailable, true);
    const wanted = { sku: { name: "Standard_LRS" }, kind: "StorageV2", location: LOCATION };
    const made = await storageAccounts.beginCreateAndWait(GROUP, STORAGE, wanted);
    equal([made.id, made.primaryEndpoints.blob], [STORAGE_ID, `https://${STORAGE}.blob.core.windows.net/`]);
    const { nameAvailable, reason } = await storageAccounts.checkNameAvailability(asked);
    equal([nameAvailable, reason], [false, "AlreadyExists"]);
    const { keys } = await storageAccounts.listKeys(GROUP, STORAGE);
    equal(keys.map((it) => it.keyName), ["key1", "key2"]);
    const { keys: after } = await storageAccounts.regenerateKey(GROUP, STORAGE, { keyName: "key1" });
    equal([after[0].value === keys[0].value, after[1].value], [false, keys[1].value]);
  },

  "a container is made in it, and the key writes there": async (world) => {
    const { blobContainers, storageAccounts } = world.administrator.storage;
    const { id } = await blobContainers.create(GROUP, STORAGE, "letters", {});
    equal(id, CONTAINER_ID);
    equal(await names(blobContainers.list(GROUP, STORAGE)), ["letters"]);
    const [{ value }] = (await storageAccounts.listKeys(GROUP, STORAGE)).keys;
    await letter(new StorageSharedKeyCredential(STORAGE, value)).upload(TEXT, Buffer.byteLength(TEXT));
  },

  "a Cosmos account, a database with its throughput, and a container are made": async (world) => {
    const { databaseAccounts, sqlResources } = world.administrator.cosmos;
    const locations = [{ locationName: LOCATION }];
    const account = { location: LOCATION, databaseAccountOfferType: "Standard", locations };
    const made = await databaseAccounts.beginCreateOrUpdateAndWait(GROUP, COSMOS, account);
    equal([made.id, made.documentEndpoint], [COSMOS_ID, `https://${COSMOS}.documents.azure.com:443/`]);
    const shop = { resource: { id: "shop" }, options: { throughput: 400 } };
    await sqlResources.beginCreateUpdateSqlDatabaseAndWait(GROUP, COSMOS, "shop", shop);
    equal((await sqlResources.getSqlDatabaseThroughput(GROUP, COSMOS, "shop")).resource.throughput, 400);
    const partitionKey = { paths: ["/customer"], kind: "Hash" };
    const orders = { resource: { id: "orders", partitionKey } };
    await sqlResources.beginCreateUpdateSqlContainerAndWait(GROUP, COSMOS, "shop", "orders", orders);
    const found = await sqlResources.getSqlContainer(GROUP, COSMOS, "shop", "orders");
    equal(found.resource.partitionKey.paths, ["/customer"]);
    equal(found.resource.indexingPolicy.indexingMode, "consistent");
    equal(await names(sqlResources.listSqlContainers(GROUP, COSMOS, "shop")), ["orders"]);
  },

  "before anything is granted, neither identity of the machine may do anything": async (world) => {
    world.own = clients(inside());
    world.lent = clients(inside(world.shared.clientId));
    for (const who of [world.own, world.lent]) {
      await refused(who.resources.resourceGroups.get(GROUP), NOT_ALLOWED);
      await refused(who.storage.storageAccounts.listKeys(GROUP, STORAGE), NOT_ALLOWED);
      await refused(who.cosmos.databaseAccounts.listKeys(GROUP, COSMOS), NOT_ALLOWED);
    }
  },

  "Reader of the group, assigned by its principal, lets the user-assigned identity read it and no more": async (world) => {
    const made = await assign(world, "Reader", world.shared.principalId, IN_GROUP);
    equal([made.principalId, made.scope], [world.shared.principalId, IN_GROUP]);
    equal((await world.lent.resources.resourceGroups.get(GROUP)).name, GROUP);
    equal((await world.lent.compute.virtualMachines.get(GROUP, VM)).id, world.machine.id);
    await refused(world.lent.compute.virtualMachines.beginPowerOffAndWait(GROUP, VM), NOT_ALLOWED);
    await refused(world.own.resources.resourceGroups.get(GROUP), NOT_ALLOWED);
  },

  "a role that is already assigned is not assigned again": async (world) => {
    const expected = { statusCode: 409, code: "RoleAssignmentExists" };
    await refused(assign(world, "Reader", world.shared.principalId, IN_GROUP), expected);
    const { roleAssignments } = world.administrator.authorization;
    const filter = `principalId eq '${world.shared.principalId}'`;
    equal((await all(roleAssignments.listForScope(IN_GROUP, { filter }))).length, 1);
  },

  "Storage Blob Data Reader of the container lets the machine's own identity read it, and not write": async (world) => {
    const mine = letter(inside());
    const expected = { statusCode: 403, code: "AuthorizationPermissionMismatch" };
    await refused(mine.download(), expected);
    await assign(world, "Storage Blob Data Reader", world.machine.principalId, CONTAINER_ID);
    equal((await mine.downloadToBuffer()).toString(), TEXT);
    await refused(mine.upload(TEXT, Buffer.byteLength(TEXT)), expected);
  },

  "Storage Account Key Operator Service Role lets the machine take the keys, and write by one": async (world) => {
    await assign(world, "Storage Account Key Operator Service Role", world.machine.principalId, STORAGE_ID);
    const { keys } = await world.own.storage.storageAccounts.listKeys(GROUP, STORAGE);
    const mine = letter(new StorageSharedKeyCredential(STORAGE, keys[1].value));
    await mine.upload(TEXT.toUpperCase(), Buffer.byteLength(TEXT));
    equal((await mine.downloadToBuffer()).toString(), TEXT.toUpperCase());
  },

  "DocumentDB Account Contributor lets the user-assigned identity take the Cosmos keys, and read by one": async (world) => {
    await assign(world, "DocumentDB Account Contributor", world.shared.principalId, COSMOS_ID);
    const keys = await world.lent.cosmos.databaseAccounts.listKeys(GROUP, COSMOS);
    const readOnly = await world.lent.cosmos.databaseAccounts.listReadOnlyKeys(GROUP, COSMOS);
    equal(readOnly.primaryReadonlyMasterKey, keys.primaryReadonlyMasterKey);
    for (const key of [keys.primaryMasterKey, readOnly.secondaryReadonlyMasterKey]) {
      const answer = await send("GET", cosmos(ORDERS), byKey(key, "get", "colls", ORDERS));
      equal([answer.status, JSON.parse(answer.bodyAsText).id], [200, "orders"]);
    }
  },

  "a role of Cosmos's own lets the machine do what it names, and nothing else": async (world) => {
    const { sqlResources } = world.administrator.cosmos;
    const order = JSON.stringify({ id: "one", customer: "ada" });
    const headers = await byToken(inside());
    const write = () => send("POST", cosmos(`${ORDERS}/docs`), headers, order);
    equal((await write()).status, 403);
    const dataActions = ["readMetadata", "sqlDatabases/containers/items/create"];
    const clerk = await sqlResources.beginCreateUpdateSqlRoleDefinitionAndWait(GROUP, COSMOS, crypto.randomUUID(), {
      roleName: "Clerk",
      type: "CustomRole",
      assignableScopes: [COSMOS_ID],
      permissions: [{ dataActions: dataActions.map((it) => `Microsoft.DocumentDB/databaseAccounts/${it}`) }],
    });
    const given = { roleDefinitionId: clerk.id, scope: COSMOS_ID, principalId: world.machine.principalId };
    const name = crypto.randomUUID();
    const made = await sqlResources.beginCreateUpdateSqlRoleAssignmentAndWait(GROUP, COSMOS, name, given);
    equal([made.name, made.principalId], [name, world.machine.principalId]);
    equal((await write()).status, 201);
    equal((await send("GET", cosmos(`${ORDERS}/docs/one`), headers)).status, 403);
    const roles = await all(sqlResources.listSqlRoleDefinitions(GROUP, COSMOS));
    equal(roles.filter((it) => it.typePropertiesType === "CustomRole").map((it) => it.roleName), ["Clerk"]);
  },

  "a template whose parameter is too short is refused, and no deployment remembers it": async (world) => {
    const { deployments } = world.administrator.deployments;
    const short = deployments.beginCreateOrUpdateAndWait(GROUP, "by-template", template("x"));
    await refused(short, { statusCode: 400, code: "InvalidTemplate", message: "greater than or equal to '3'" });
    equal((await deployments.checkExistence(GROUP, "by-template")).body, false);
  },

  "what a template would make is told beforehand, and is not made": async (world) => {
    const { deployments } = world.administrator.deployments;
    const { status, changes } = await deployments.beginWhatIfAndWait(GROUP, "by-template", template("made"));
    const told = changes.filter((it) => it.changeType !== "Ignore").map((it) => [it.changeType, it.after.name]);
    equal([status, told], ["Succeeded", [["Create", "made"]]]);
    const { userAssignedIdentities } = world.administrator.identities;
    await refused(userAssignedIdentities.get(GROUP, "made"), { statusCode: 404, code: "ResourceNotFound" });
  },

  "a template is deployed, gives back its outputs, and would change nothing again": async (world) => {
    const { deployments } = world.administrator.deployments;
    const made = await deployments.beginCreateOrUpdateAndWait(GROUP, "by-template", template("made"));
    const { principalId } = await world.administrator.identities.userAssignedIdentities.get(GROUP, "made");
    const { provisioningState, outputs, outputResources, parameters } = made.properties;
    equal([provisioningState, parameters.name.value], ["Succeeded", "made"]);
    equal(outputs, { principal: { type: "String", value: principalId } });
    equal(outputResources.map((it) => it.id.split("/").at(-1)), ["made"]);
    const { changes } = await deployments.beginWhatIfAndWait(GROUP, "by-template", template("made"));
    equal(changes.filter((it) => it.resourceId.endsWith("/made")).map((it) => it.changeType), ["NoChange"]);
    equal(await names(deployments.listByResourceGroup(GROUP)), ["by-template"]);
    const { template: exported } = await deployments.exportTemplate(GROUP, "by-template");
    equal(exported, template("made").properties.template);
  },

  "tags are merged, replaced and taken away": async (world) => {
    const { tagsOperations } = world.administrator.resources;
    const change = async (operation, tags) => {
      const wanted = { operation, properties: { tags } };
      return (await tagsOperations.beginUpdateAtScopeAndWait(world.machine.id, wanted)).properties.tags;
    };
    equal(await change("Merge", { desk: "7", floor: "1" }), { desk: "7", floor: "1" });
    equal(await change("Merge", { floor: "2" }), { desk: "7", floor: "2" });
    equal(await change("Delete", { floor: "2" }), { desk: "7" });
    equal((await world.administrator.compute.virtualMachines.get(GROUP, VM)).tags, { desk: "7" });
    equal((await tagsOperations.getAtScope(IN_GROUP)).properties.tags, { by: "js" });
  },

  "lists are filtered by type, by name and by tag": async (world) => {
    const { resources, resourceGroups } = world.administrator.resources;
    const listed = async (filter) => (await names(resources.listByResourceGroup(GROUP, { filter }))).sort();
    equal(await listed("resourceType eq 'Microsoft.ManagedIdentity/userAssignedIdentities'"), ["made", "shared"]);
    equal(await listed(`name eq '${STORAGE}'`), [STORAGE]);
    equal(await names(resources.list({ filter: "tagName eq 'desk' and tagValue eq '7'" })), [VM]);
    equal(await names(resourceGroups.list({ filter: "tagName eq 'by' and tagValue eq 'js'" })), [GROUP]);
  },

  "what is locked is not deleted, and is when the lock is gone": async (world) => {
    const { managementLocks } = world.administrator.locks;
    const { userAssignedIdentities } = world.administrator.identities;
    await managementLocks.createOrUpdateAtResourceGroupLevel(GROUP, "kept", { level: "CanNotDelete" });
    equal(await names(managementLocks.listAtResourceGroupLevel(GROUP)), ["kept"]);
    const expected = { statusCode: 409, code: "ScopeLocked" };
    await refused(userAssignedIdentities.delete(GROUP, "made"), expected);
    await refused(world.administrator.resources.resourceGroups.beginDeleteAndWait(GROUP), expected);
    await managementLocks.deleteAtResourceGroupLevel(GROUP, "kept");
    await userAssignedIdentities.delete(GROUP, "made");
    equal(await names(userAssignedIdentities.listByResourceGroup(GROUP)), ["shared"]);
  },

  "the machine is deleted by its id, and its own identity with it": async (world) => {
    await world.administrator.resources.resources.beginDeleteByIdAndWait(world.machine.id, "2024-07-01");
    const gone = { statusCode: 404, code: "ResourceNotFound" };
    await refused(world.administrator.compute.virtualMachines.get(GROUP, VM), gone);
    await isGone(world, world.machine.principalId);
    const { virtualMachine } = await world.administrator.network.networkInterfaces.get(GROUP, "nic");
    equal(virtualMachine, undefined);
  },

  "with the group goes all that is in it: resources, assignments, and the other identity": async (world) => {
    const { resourceGroups, resources } = world.administrator.resources;
    const { roleAssignments } = world.administrator.authorization;
    const assigned = async ({ principalId }) =>
      (await all(roleAssignments.listForSubscription({ filter: `principalId eq '${principalId}'` }))).length;
    equal(await assigned(world.shared), 2);
    await resourceGroups.beginDeleteAndWait(GROUP);
    equal((await resourceGroups.checkExistence(GROUP)).body, false);
    const gone = { statusCode: 404, code: "ResourceGroupNotFound" };
    await refused(world.administrator.cosmos.databaseAccounts.get(GROUP, COSMOS), gone);
    equal(await names(resources.list({ filter: `name eq '${STORAGE}'` })), []);
    equal([await assigned(world.shared), await assigned(world.machine)], [0, 0]);
    await isGone(world, world.shared.principalId);
  },
};

/// A client of each library, for whoever has this credential.
function clients(credential) {
  const of = (Client) => new Client(credential, process.env.AZURE_SUBSCRIPTION_ID);
  return {
    authorization: of(AuthorizationManagementClient),
    compute: of(ComputeManagementClient),
    cosmos: of(CosmosDBManagementClient),
    deployments: of(DeploymentsClient),
    identities: of(ManagedServiceIdentityClient),
    locks: of(ManagementLockClient),
    network: of(NetworkManagementClient),
    resources: of(ResourceManagementClient),
    storage: of(StorageManagementClient),
  };
}

/// The machine's own identity, or the one of this client id: the token is asked for in the machine.
function inside(clientId = "") {
  const lent = [`${process.env.NODE_PATH}:ro`, `${__dirname}:ro`].flatMap((it) => ["--share", it]);
  const program = ["env", `NODE_PATH=${process.env.NODE_PATH}`, "node", `${__dirname}/token.js`];
  return {
    getToken: async (scopes) =>
      JSON.parse(zaffre("vm", "exec", "--root", ...lent, VM, "--", ...program, [scopes].flat()[0], clientId)),
  };
}

function machine(world) {
  const ubuntu = { publisher: "Canonical", offer: "0001-com-ubuntu-server-jammy", sku: "22_04-lts-gen2" };
  const publicKeys = [{ path: "/home/azureuser/.ssh/authorized_keys", keyData: SSH_KEY }];
  return {
    location: LOCATION,
    identity: { type: "SystemAssigned, UserAssigned", userAssignedIdentities: { [world.shared.id]: {} } },
    hardwareProfile: { vmSize: "Standard_D2s_v5" },
    storageProfile: { imageReference: { ...ubuntu, version: "latest" }, osDisk: { createOption: "FromImage" } },
    osProfile: {
      computerName: VM,
      adminUsername: "azureuser",
      linuxConfiguration: { disablePasswordAuthentication: true, ssh: { publicKeys } },
    },
    networkProfile: { networkInterfaces: [{ id: world.nic.id, primary: true }] },
  };
}

/// An identity of this name, and its principal as an output.
function template(name) {
  const written = {
    $schema: "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
    contentVersion: "1.0.0.0",
    parameters: { name: { type: "string", minLength: 3 } },
    resources: [
      {
        type: "Microsoft.ManagedIdentity/userAssignedIdentities",
        apiVersion: "2023-01-31",
        name: "[parameters('name')]",
        location: "[resourceGroup().location]",
      },
    ],
    outputs: { principal: { type: "string", value: "[reference(parameters('name')).principalId]" } },
  };
  return { properties: { mode: "Incremental", template: written, parameters: { name: { value: name } } } };
}

/// The directory has no principal of this id.
async function isGone(world, principalId) {
  await refused(world.graph("GET", `/servicePrincipals/${principalId}`), { message: ": 404 " });
}

/// Assigns the role of this name at the scope to a principal.
async function assign(world, roleName, principalId, scope) {
  const { roleAssignments, roleDefinitions } = world.administrator.authorization;
  const [{ id }] = await all(roleDefinitions.list(scope, { filter: `roleName eq '${roleName}'` }));
  const given = { roleDefinitionId: id, principalId, principalType: "ServicePrincipal" };
  return roleAssignments.create(scope, crypto.randomUUID(), given);
}

function letter(credential) {
  const service = new BlobServiceClient(`https://${STORAGE}.blob.core.windows.net`, credential);
  return service.getContainerClient("letters").getBlockBlobClient("one.txt");
}

function cosmos(link) {
  return `https://${COSMOS}.documents.azure.com/${link}`;
}

/// What proves who asks, by an account's key.
function byKey(key, verb, type, link) {
  const date = new Date().toUTCString();
  const text = `${verb}\n${type}\n${link}\n${date.toLowerCase()}\n\n`;
  const signature = createHmac("sha256", Buffer.from(key, "base64")).update(text).digest("base64");
  return authorization("master", signature, date);
}

/// And by a token.
async function byToken(credential) {
  const { token } = await credential.getToken(`https://${COSMOS}.documents.azure.com/.default`);
  return authorization("aad", token, new Date().toUTCString());
}

function authorization(type, signature, date) {
  const written = encodeURIComponent(`type=${type}&ver=1.0&sig=${signature}`);
  const partition = { "x-ms-documentdb-partitionkey": '["ada"]', "Content-Type": "application/json" };
  return { Authorization: written, "x-ms-date": date, "x-ms-version": "2018-12-31", ...partition };
}

async function all(pages) {
  const found = [];
  for await (const it of pages) found.push(it);
  return found;
}

async function names(pages) {
  return (await all(pages)).map((it) => it.name);
}
