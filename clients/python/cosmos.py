"""azure-cosmos: by master key, by read-only key, and by the machine's token under Cosmos's own roles."""

import uuid

from azure.core import MatchConditions
from azure.cosmos import CosmosClient
from azure.cosmos.exceptions import CosmosHttpResponseError, CosmosResourceExistsError, CosmosResourceNotFoundError
from azure.identity import ManagedIdentityCredential

from claims import chapter, equal, raises
from world import COSMOS

CLAIMS, claim = chapter()

READER = "00000000-0000-0000-0000-000000000001"
CONTRIBUTOR = "00000000-0000-0000-0000-000000000002"


@claim("the master key creates, reads, replaces, lists and deletes items")
def _(world):
    world.orders = orders(world, world.cosmos_keys["primaryMasterKey"])
    create_read_replace_list_delete(world.orders)


@claim("an item made twice conflicts, and one that is missing is not found")
def _(world):
    world.orders.create_item(order("kept"))
    with raises(CosmosResourceExistsError, status_code=409):
        world.orders.create_item(order("kept"))
    with raises(CosmosResourceNotFoundError, status_code=404):
        world.orders.read_item("missing", partition_key="ada")
    with raises(CosmosResourceNotFoundError, status_code=404):
        world.orders.read_item("kept", partition_key="another customer")


@claim("a replace that names an old etag is refused")
def _(world):
    read = world.orders.read_item("kept", partition_key="ada")
    world.orders.replace_item("kept", {**order("kept"), "total": 2})
    old = {"etag": read["_etag"], "match_condition": MatchConditions.IfNotModified}
    with raises(CosmosHttpResponseError, status_code=412):
        world.orders.replace_item("kept", order("kept"), **old)


@claim("the second master key does as well as the first")
def _(world):
    equal(orders(world, world.cosmos_keys["secondaryMasterKey"]).read_item("kept", "ada")["total"], 2)


@claim("the read-only key reads and lists, and its writes are refused")
def _(world):
    reads = orders(world, world.cosmos_keys["primaryReadonlyMasterKey"])
    equal(reads.read_item("kept", partition_key="ada")["customer"], "ada")
    equal([it["id"] for it in reads.read_all_items()], ["kept"])
    for write in (
        lambda: reads.create_item(order("more")),
        lambda: reads.replace_item("kept", order("kept")),
        lambda: reads.delete_item("kept", partition_key="ada"),
    ):
        with raises(CosmosHttpResponseError, status_code=403):
            write()
    equal(reads.read_item("kept", partition_key="ada")["total"], 2)


@claim("a wrong key is refused at the first request")
def _(world):
    with raises(CosmosHttpResponseError, status_code=401):
        orders(world, "AAAA" + world.cosmos_keys["primaryMasterKey"][4:]).read_item("kept", "ada")


@claim("before a Cosmos role is assigned the machine is refused, Reader of the group though it is")
def _(world):
    with raises(CosmosHttpResponseError, status_code=403, message=world.vm_principal):
        orders(world, ManagedIdentityCredential()).read_item("kept", partition_key="ada")


@claim("Cosmos's Data Reader lets the machine read, and not write")
def _(world):
    assign(world, READER)
    reads = orders(world, ManagedIdentityCredential())
    equal(reads.read_item("kept", partition_key="ada")["total"], 2)
    with raises(CosmosHttpResponseError, status_code=403, message="items/create"):
        reads.create_item(order("more"))


@claim("Cosmos's Data Contributor lets the machine do all of it")
def _(world):
    assign(world, CONTRIBUTOR)
    machine = orders(world, ManagedIdentityCredential())
    machine.delete_item("kept", partition_key="ada")
    create_read_replace_list_delete(machine)


@claim("a token does not make databases: that is Resource Manager's")
def _(world):
    with raises(CosmosHttpResponseError, status_code=403):
        client(world, ManagedIdentityCredential()).create_database("another")


def create_read_replace_list_delete(items):
    created = items.create_item(order("one"))
    equal({name: created[name] for name in order("one")}, order("one"))
    equal(items.read_item("one", partition_key="ada")["_etag"], created["_etag"])
    replaced = items.replace_item("one", {**order("one"), "total": 7})
    equal(replaced["total"], 7)
    assert replaced["_etag"] != created["_etag"], "a write makes a new etag"
    items.create_item(order("two", customer="grace"))
    equal(sorted(it["id"] for it in items.read_all_items()), ["one", "two"])
    items.delete_item("one", partition_key="ada")
    items.delete_item("two", partition_key="grace")
    equal(list(items.read_all_items()), [])


def order(name, customer="ada"):
    lines = [{"sku": "\u00e9tui", "count": 2}]
    return {"id": name, "customer": customer, "total": 1, "lines": lines, "note": None}


def assign(world, role):
    """Assigns one of Cosmos's own roles on the whole account to the machine."""
    body = {
        "roleDefinitionId": f"{world.cosmos}/sqlRoleDefinitions/{role}",
        "principalId": world.vm_principal,
        "scope": world.cosmos,
    }
    world.put(f"{world.cosmos}/sqlRoleAssignments/{uuid.uuid4()}", COSMOS, {"properties": body})


def client(world, credential):
    return CosmosClient(f"https://{world.cosmos_name}.documents.azure.com:443/", credential=credential)


def orders(world, credential):
    return client(world, credential).get_database_client("shop").get_container_client("orders")
