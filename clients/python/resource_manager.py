"""Resource Manager: what the later chapters use is made here, by plain requests."""

import uuid

import requests

from claims import chapter, equal, refused, within
from world import ARM, COMPUTE, COSMOS, IDENTITY, LOCATION, RESOURCES, STORAGE

CLAIMS, claim = chapter()

SSH_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGZvciB0ZXN0cyBhbG9uZSwgbm9ib2R5IGhhcyBpdHM= nobody"


@claim("a request without a token is refused")
def _(world):
    answer = requests.get(f"{ARM}{world.subscription}", params={"api-version": RESOURCES}, timeout=30)
    refused(answer, 401, "AuthenticationFailed")
    within("Bearer", answer.headers["WWW-Authenticate"])


@claim("a request without an api-version is refused")
def _(world):
    refused(world.ask("GET", world.subscription, None), 400, "MissingApiVersionParameter")


@claim("a resource group is made, and found whatever case its name is asked in")
def _(world):
    answer = world.ask("PUT", world.group, RESOURCES, {"location": LOCATION, "tags": {"by": "python"}})
    equal(answer.status_code, 201)
    equal(world.get(world.group.upper(), RESOURCES)["name"], "python")


@claim("what is not there is not found by its own code")
def _(world):
    refused(world.ask("GET", f"{world.group}2", RESOURCES), 404, "ResourceGroupNotFound")
    refused(world.ask("GET", f"{world.vm}", COMPUTE), 404, "ResourceNotFound")


@claim("a user-assigned identity is made, and has a principal of its own")
def _(world):
    made = world.put(world.identity, IDENTITY, {"location": LOCATION})
    world.identity_client, world.identity_principal = (made["properties"][it] for it in ("clientId", "principalId"))
    assert uuid.UUID(world.identity_client) != uuid.UUID(world.identity_principal)


@claim("a virtual machine is made with an identity of its own and the user-assigned one")
def _(world):
    made = world.put(world.vm, COMPUTE, virtual_machine(world))
    equal(made["identity"]["type"], "SystemAssigned, UserAssigned")
    world.vm_principal = made["identity"]["principalId"]
    [(key, value)] = made["identity"]["userAssignedIdentities"].items()
    equal(key.lower(), world.identity.lower())
    equal(value["principalId"], world.identity_principal)


@claim("a storage account and a container are made")
def _(world):
    body = {"sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "location": LOCATION, "properties": {}}
    made = world.put(world.storage, STORAGE, body)
    equal(made["properties"]["primaryEndpoints"]["blob"], f"https://{world.storage_name}.blob.core.windows.net/")
    world.put(world.container, STORAGE, {"properties": {"publicAccess": "None"}})
    world.storage_key = world.post(f"{world.storage}/listKeys", STORAGE)["keys"][0]["value"]


@claim("a Cosmos account, a database and a container are made")
def _(world):
    locations = [{"locationName": LOCATION, "failoverPriority": 0, "isZoneRedundant": False}]
    properties = {"databaseAccountOfferType": "Standard", "locations": locations}
    world.put(world.cosmos, COSMOS, {"location": LOCATION, "kind": "GlobalDocumentDB", "properties": properties})
    database = f"{world.cosmos}/sqlDatabases/shop"
    world.put(database, COSMOS, {"properties": {"resource": {"id": "shop"}, "options": {"throughput": 400}}})
    orders = {"id": "orders", "partitionKey": {"paths": ["/customer"], "kind": "Hash", "version": 2}}
    world.put(f"{database}/containers/orders", COSMOS, {"properties": {"resource": orders, "options": {}}})
    world.cosmos_keys = world.post(f"{world.cosmos}/listKeys", COSMOS)
    equal(world.get(f"{world.cosmos}/readonlykeys", COSMOS), world.post(f"{world.cosmos}/readonlykeys", COSMOS))


@claim("the group lists what was made in it")
def _(world):
    listed = world.get(f"{world.group}/resources", RESOURCES)["value"]
    disk = world.get(world.vm, COMPUTE)["properties"]["storageProfile"]["osDisk"]["managedDisk"]["id"]
    equal(
        sorted(it["id"].lower() for it in listed),
        sorted(it.lower() for it in (world.vm, disk, world.identity, world.storage, world.cosmos)),
    )


def virtual_machine(world):
    ubuntu = {"publisher": "Canonical", "offer": "0001-com-ubuntu-server-jammy", "sku": "22_04-lts-gen2"}
    keys = [{"path": "/home/azureuser/.ssh/authorized_keys", "keyData": SSH_KEY}]
    return {
        "location": LOCATION,
        "identity": {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {world.identity: {}}},
        "properties": {
            "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
            "storageProfile": {
                "imageReference": {**ubuntu, "version": "latest"},
                "osDisk": {"createOption": "FromImage"},
            },
            "osProfile": {
                "computerName": "pythonVM",
                "adminUsername": "azureuser",
                "linuxConfiguration": {"disablePasswordAuthentication": True, "ssh": {"publicKeys": keys}},
            },
            "networkProfile": {"networkInterfaces": []},
        },
    }
