"""Azure's management libraries, unmodified: the tutorials' management steps, and what is usually done around them.

Everything is in a group of this chapter's own, which it deletes at its end; no other chapter uses it.
"""

import datetime
import uuid

from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.cosmos import CosmosClient
from azure.cosmos.exceptions import CosmosHttpResponseError

from claims import chapter, equal, raises, within
from libraries import Libraries, interface, network, scale_set, security_rule, template, virtual_machine
from world import EXCHANGE, LOCATION

CLAIMS, claim = chapter()

READER = "Storage Blob Data Reader"
PAPER = b"what the management libraries made\n"
BLOBS_READ = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"
ITEMS_READ = "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/items/read"
METADATA_READ = "Microsoft.DocumentDB/databaseAccounts/readMetadata"


@claim("a resource group is made, and is there whatever case its name is asked in")
def _(world):
    ours = world.libraries = Libraries(world)
    groups = ours.resources.resource_groups
    equal(groups.check_existence(ours.group), False)
    made = groups.create_or_update(ours.group, {"location": LOCATION, "tags": {"by": "libraries"}})
    equal((made.id, made.properties.provisioning_state), (ours.scope, "Succeeded"))
    equal(groups.check_existence(ours.group), True)
    equal(groups.get(ours.group.upper()).tags, {"by": "libraries"})
    equal([it.name for it in groups.list(filter="tagName eq 'by' and tagValue eq 'libraries'")], [ours.group])


@claim("what is missing is the libraries' own error, with Azure's code in it")
def _(world):
    ours = world.libraries
    with raises(ResourceNotFoundError, status_code=404, message="(ResourceGroupNotFound)"):
        ours.resources.resource_groups.get("management-missing")
    with raises(ResourceNotFoundError, status_code=404, message="(ResourceNotFound)"):
        ours.compute.virtual_machines.get(ours.group, ours.vm_name)
    with raises(ResourceNotFoundError, status_code=404, message="(ResourceNotFound)"):
        ours.identities.user_assigned_identities.get(ours.group, "missing")


@claim("azure-mgmt-msi makes a user-assigned identity, and the directory has its principal")
def _(world):
    ours = world.libraries
    made = ours.identities.user_assigned_identities.create_or_update(
        ours.group, "managedIdentity", {"location": LOCATION}
    )
    ours.identity_client, ours.identity_principal = made.client_id, made.principal_id
    equal((made.id.lower(), made.tenant_id), (ours.identity.lower(), ours.tenant))
    equal(ours.is_principal(made.principal_id), True)
    listed = ours.identities.user_assigned_identities.list_by_resource_group(ours.group)
    equal([it.client_id for it in listed], [made.client_id])


@claim("a federated credential of the identity is made, listed and deleted")
def _(world):
    ours = world.libraries
    credentials, whose = ours.identities.federated_identity_credentials, (ours.group, "managedIdentity")
    believed = {"issuer": "https://issuer.example", "subject": "repo:x", "audiences": [EXCHANGE]}
    equal(credentials.create_or_update(*whose, "main", {"properties": believed}).subject, "repo:x")
    equal([(it.name, it.issuer) for it in credentials.list(*whose)], [("main", "https://issuer.example")])
    credentials.delete(*whose, "main")
    equal(list(credentials.list(*whose)), [])


@claim("azure-mgmt-network makes a security group with its rules, Azure's own among them")
def _(world):
    ours = world.libraries
    first = {"name": "ssh", **security_rule(22, 100)}
    body = {"location": LOCATION, "properties": {"securityRules": [first]}}
    made = ours.network.network_security_groups.begin_create_or_update(ours.group, "guards", body).result()
    equal([it.destination_port_range for it in made.security_rules], ["22"])
    equal(len(made.default_security_rules), 6)
    rules = ours.network.security_rules
    rules.begin_create_or_update(ours.group, "guards", "http", security_rule(80, 200)).result()
    equal({it.name: it.priority for it in rules.list(ours.group, "guards")}, {"ssh": 100, "http": 200})
    ours.security_group = made.id


@claim("a virtual network is made with a subnet, and gets another")
def _(world):
    ours = world.libraries
    body = network(ours.security_group)
    made = ours.network.virtual_networks.begin_create_or_update(ours.group, "net", body).result()
    equal((made.provisioning_state, made.address_space.address_prefixes), ("Succeeded", ["10.7.0.0/16"]))
    [front] = made.subnets
    equal(front.network_security_group.id, ours.security_group)
    back = {"properties": {"addressPrefix": "10.7.2.0/24"}}
    ours.network.subnets.begin_create_or_update(ours.group, "net", "back", back).result()
    subnets = {it.name: it.address_prefix for it in ours.network.subnets.list(ours.group, "net")}
    equal(subnets, {"front": "10.7.1.0/24", "back": "10.7.2.0/24"})
    ours.subnet = front.id


@claim("a public address and an interface are made, and each knows of the other")
def _(world):
    ours = world.libraries
    addresses, interfaces = ours.network.public_ip_addresses, ours.network.network_interfaces
    static = {"publicIPAllocationMethod": "Static"}
    body = {"location": LOCATION, "sku": {"name": "Standard"}, "properties": static}
    public = addresses.begin_create_or_update(ours.group, "door", body).result()
    made = interfaces.begin_create_or_update(ours.group, "card", interface(ours.subnet, public.id)).result()
    [configuration] = made.ip_configurations
    equal((configuration.private_ip_address, configuration.public_ip_address.id), ("10.7.1.4", public.id))
    equal(addresses.get(ours.group, "door").ip_configuration.id, configuration.id)
    ours.card, ours.door = made.id, public.id


@claim("azure-mgmt-compute makes a virtual machine with an identity of its own and the user-assigned one")
def _(world):
    ours = world.libraries
    body = virtual_machine(ours.identity, ours.card)
    poller = ours.compute.virtual_machines.begin_create_or_update(ours.group, ours.vm_name, body)
    made = poller.result()
    equal((poller.status(), made.provisioning_state), ("Succeeded", "Succeeded"))
    equal(made.identity.type, "SystemAssigned, UserAssigned")
    [(key, value)] = made.identity.user_assigned_identities.items()
    equal((key.lower(), value.principal_id), (ours.identity.lower(), ours.identity_principal))
    ours.vm_principal = made.identity.principal_id
    equal(ours.network.network_interfaces.get(ours.group, "card").virtual_machine.id.lower(), ours.vm.lower())


@claim("azure-mgmt-msi reads the machine's own identity, which is the principal that the machine names")
def _(world):
    ours = world.libraries
    own = ours.identities.system_assigned_identities.get_by_scope(ours.vm)
    equal((own.principal_id, own.tenant_id), (ours.vm_principal, ours.tenant))
    equal(ours.is_principal(ours.vm_principal), True)


@claim("the machine is stopped, deallocated, started and restarted, and its instance view follows")
def _(world):
    ours = world.libraries
    machines, which = ours.compute.virtual_machines, (ours.group, ours.vm_name)
    equal(ours.power(), "PowerState/running")
    machines.begin_power_off(*which).result()
    equal(ours.power(), "PowerState/stopped")
    machines.begin_deallocate(*which).result()
    equal(ours.power(), "PowerState/deallocated")
    machines.begin_start(*which).result()
    machines.begin_restart(*which).result()
    equal(ours.power(), "PowerState/running")
    shown = machines.get(*which, expand="instanceView")
    equal([it.code for it in shown.instance_view.statuses], ["ProvisioningState/succeeded", "PowerState/running"])


@claim("the machine is resized and tagged by an update, and both lists have it so")
def _(world):
    ours = world.libraries
    machines = ours.compute.virtual_machines
    change = {"tags": {"made": "here"}, "properties": {"hardwareProfile": {"vmSize": "Standard_D2s_v5"}}}
    machines.begin_update(ours.group, ours.vm_name, change).result()
    for listed in (machines.list(ours.group), machines.list_all()):
        [machine] = [it for it in listed if it.id.lower() == ours.vm.lower()]
        equal((machine.hardware_profile.vm_size, machine.tags), ("Standard_D2s_v5", {"made": "here"}))


@claim("what is in use is not deleted, and says by its own code that it is")
def _(world):
    net, group = world.libraries.network, world.libraries.group
    for code, delete in [
        ("InUseSubnetCannotBeDeleted", lambda: net.subnets.begin_delete(group, "net", "front")),
        ("InUseSubnetCannotBeDeleted", lambda: net.virtual_networks.begin_delete(group, "net")),
        ("InUseNetworkSecurityGroupCannotBeDeleted", lambda: net.network_security_groups.begin_delete(group, "guards")),
        ("PublicIPAddressCannotBeDeleted", lambda: net.public_ip_addresses.begin_delete(group, "door")),
        ("NicInUse", lambda: net.network_interfaces.begin_delete(group, "card")),
    ]:
        with raises(HttpResponseError, message=f"({code})"):
            delete().result()


@claim("an update for another version of the machine than the one there is refused")
def _(world):
    ours = world.libraries
    other = {"etag": '"another"', "match_condition": MatchConditions.IfNotModified}
    with raises(ResourceModifiedError, status_code=412, message="(PreconditionFailed)"):
        ours.compute.virtual_machines.begin_update(ours.group, ours.vm_name, {"tags": {"made": "late"}}, **other)
    equal(ours.compute.virtual_machines.get(ours.group, ours.vm_name).tags, {"made": "here"})


@claim("a disk is made, attached, kept from deletion meanwhile, detached and deleted")
def _(world):
    ours = world.libraries
    disks = ours.compute.disks
    body = {"location": LOCATION, "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 8}}
    made = disks.begin_create_or_update(ours.group, "data", body).result()
    equal((made.disk_size_gb, made.disk_state), (8, "Unattached"))
    set_data_disks(ours, [{"lun": 0, "createOption": "Attach", "managedDisk": {"id": made.id}}])
    attached = disks.get(ours.group, "data")
    equal((attached.disk_state, attached.managed_by.lower()), ("Attached", ours.vm.lower()))
    with raises(HttpResponseError, status_code=409, message="(OperationNotAllowed)"):
        disks.begin_delete(ours.group, "data").result()
    set_data_disks(ours, [])
    equal(disks.get(ours.group, "data").disk_state, "Unattached")
    disks.begin_delete(ours.group, "data").result()
    equal([it.name for it in disks.list_by_resource_group(ours.group)], ["system"])


@claim("a script is run in the machine, by command and as a resource, and its words are the answer")
def _(world):
    ours = world.libraries
    command = {
        "commandId": "RunShellScript",
        "script": ['echo "$1, $2"'],
        "parameters": [{"name": "a", "value": "hello"}, {"name": "b", "value": "world"}],
    }
    ran = ours.compute.virtual_machines.begin_run_command(ours.group, ours.vm_name, command).result()
    [said] = ran.value
    equal(said.code, "ProvisioningState/succeeded")
    within("[stdout]\nhello, world\n", said.message)
    commands, which = ours.compute.virtual_machine_run_commands, (ours.group, ours.vm_name, "kept")
    body = {"location": LOCATION, "properties": {"source": {"script": "echo kept; exit 3"}}}
    commands.begin_create_or_update(*which, body).result()
    view = commands.get_by_virtual_machine(*which, expand="instanceView").instance_view
    equal((view.exit_code, view.output), (3, "kept\n"))


@claim("a scale set is made, its machines are listed, and it grows smaller")
def _(world):
    ours = world.libraries
    sets, machines = ours.compute.virtual_machine_scale_sets, ours.compute.virtual_machine_scale_set_vms
    made = sets.begin_create_or_update(ours.group, "web", scale_set(ours.subnet, capacity=2)).result()
    equal((made.provisioning_state, made.orchestration_mode), ("Succeeded", "Uniform"))
    equal([it.instance_id for it in machines.list(ours.group, "web")], ["0", "1"])
    equal(ours.is_principal(made.identity.principal_id), True)
    sets.begin_update(ours.group, "web", {"sku": {"name": "Standard_B1s", "capacity": 1}}).result()
    equal(len(list(machines.list(ours.group, "web"))), 1)
    sets.begin_delete(ours.group, "web").result()
    equal(list(sets.list(ours.group)), [])


@claim("azure-mgmt-storage makes an account whose name is free until then, and a container")
def _(world):
    ours = world.libraries
    accounts = ours.storages.storage_accounts
    equal(accounts.check_name_availability(storage_name(ours)).name_available, True)
    body = {"sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "location": LOCATION}
    made = accounts.begin_create(ours.group, ours.storage_name, body).result()
    equal(made.primary_endpoints.blob, f"https://{ours.storage_name}.blob.core.windows.net/")
    taken = accounts.check_name_availability(storage_name(ours))
    equal((taken.name_available, taken.reason), (False, "AlreadyExists"))
    containers = ours.storages.blob_containers
    containers.create(ours.group, ours.storage_name, ours.container_name, {"properties": {"publicAccess": "None"}})
    equal([it.name for it in containers.list(ours.group, ours.storage_name)], [ours.container_name])


@claim("the account's key, as listed, writes a blob; a regenerated key is another")
def _(world):
    ours = world.libraries
    accounts, whose = ours.storages.storage_accounts, (ours.group, ours.storage_name)
    keys = {it.key_name: it.value for it in accounts.list_keys(*whose).keys_property}
    equal(sorted(keys), ["key1", "key2"])
    ours.blob({"account_name": ours.storage_name, "account_key": keys["key1"]}).upload_blob(PAPER)
    renewed = {it.key_name: it.value for it in accounts.regenerate_key(*whose, {"keyName": "key2"}).keys_property}
    equal((renewed["key1"] == keys["key1"], renewed["key2"] == keys["key2"]), (True, False))


@claim("a role assigned by principal id lets the identity read the blob, which was refused before and is after")
def _(world):
    ours = world.libraries
    refused_paper(ours)
    assigned = assign(ours, ours.role(READER).id)
    equal((assigned.principal_type, assigned.scope), ("ServicePrincipal", ours.storage))
    equal(ours.paper(), PAPER)
    ours.roles.role_assignments.delete_by_id(assigned.id)
    refused_paper(ours)


@claim("role assignments are listed by principal and by scope, and the same one twice conflicts")
def _(world):
    ours = world.libraries
    role = ours.role(READER).id
    assigned = assign(ours, role)
    with raises(ResourceExistsError, status_code=409, message="(RoleAssignmentExists)"):
        assign(ours, role)
    by_principal = f"principalId eq '{ours.identity_principal}'"
    listed = list(ours.roles.role_assignments.list_for_scope(ours.storage, filter=by_principal))
    equal([it.id for it in listed], [assigned.id])
    listed = ours.roles.role_assignments.list_for_subscription(filter=f"assignedTo('{ours.identity_principal}')")
    equal([it.id for it in listed], [assigned.id])
    ours.roles.role_assignments.delete_by_id(assigned.id)


@claim("role definitions are found by name and by type, with what they allow")
def _(world):
    ours = world.libraries
    reader = ours.role(READER)
    equal((reader.role_type, reader.assignable_scopes), ("BuiltInRole", ["/"]))
    [permission] = reader.permissions
    equal(permission.data_actions, [BLOBS_READ])
    custom = ours.roles.role_definitions.list(ours.scope, filter="type eq 'CustomRole'")
    equal(list(custom), [])


@claim("a custom role is made, does what it names, is kept while it is assigned, and is deleted")
def _(world):
    ours = world.libraries
    definitions, name = ours.roles.role_definitions, str(uuid.uuid4())
    permission = {"actions": [], "dataActions": [BLOBS_READ]}
    properties = {"roleName": "Reader of papers", "type": "CustomRole", "assignableScopes": [ours.scope]}
    body = {"properties": {**properties, "permissions": [permission]}}
    made = definitions.create_or_update(ours.scope, name, body)
    equal((made.role_type, ours.role("Reader of papers").id), ("CustomRole", made.id))
    refused_paper(ours)
    assigned = assign(ours, made.id)
    equal(ours.paper(), PAPER)
    with raises(HttpResponseError, message="(RoleDefinitionHasAssignments)"):
        definitions.delete(ours.scope, name)
    ours.roles.role_assignments.delete_by_id(assigned.id)
    definitions.delete(ours.scope, name)
    refused_paper(ours)


@claim("azure-mgmt-cosmosdb makes an account, a database and a container")
def _(world):
    ours = world.libraries
    locations = [{"locationName": LOCATION, "failoverPriority": 0}]
    properties = {"databaseAccountOfferType": "Standard", "locations": locations}
    body = {"location": LOCATION, "kind": "GlobalDocumentDB", "properties": properties}
    made = ours.cosmoses.database_accounts.begin_create_or_update(ours.group, ours.cosmos_name, body).result()
    equal(made.document_endpoint, f"https://{ours.cosmos_name}.documents.azure.com:443/")
    sql, whose = ours.cosmoses.sql_resources, (ours.group, ours.cosmos_name)
    database = {"properties": {"resource": {"id": "shop"}, "options": {"throughput": 400}}}
    sql.begin_create_update_sql_database(*whose, "shop", database).result()
    equal(sql.get_sql_database_throughput(*whose, "shop").resource.throughput, 400)
    orders = {"id": "orders", "partitionKey": {"paths": ["/customer"], "kind": "Hash", "version": 2}}
    container = {"properties": {"resource": orders, "options": {}}}
    sql.begin_create_update_sql_container(*whose, "shop", "orders", container).result()
    [listed] = sql.list_sql_containers(*whose, "shop")
    equal(listed.resource.partition_key.paths, ["/customer"])


@claim("the account's keys, as listed, write and read items; one that is regenerated is another")
def _(world):
    ours = world.libraries
    accounts, whose = ours.cosmoses.database_accounts, (ours.group, ours.cosmos_name)
    keys = accounts.list_keys(*whose)
    orders(ours, keys.primary_master_key).create_item({"id": "one", "customer": "ada"})
    read_only = accounts.list_read_only_keys(*whose).primary_readonly_master_key
    equal(orders(ours, read_only).read_item("one", "ada")["customer"], "ada")
    with raises(CosmosHttpResponseError, status_code=403):
        orders(ours, read_only).create_item({"id": "two", "customer": "ada"})
    strings = [it.connection_string for it in accounts.list_connection_strings(*whose).connection_strings]
    within(f"AccountKey={keys.primary_master_key}", strings[0])
    accounts.begin_regenerate_key(*whose, {"keyKind": "secondary"}).result()
    renewed = accounts.list_keys(*whose)
    equal(renewed.primary_master_key, keys.primary_master_key)
    assert renewed.secondary_master_key != keys.secondary_master_key, "the key is as it was"


@claim("a Cosmos role of one's own, assigned, lets the identity read items, and nothing else")
def _(world):
    ours = world.libraries
    sql, whose = ours.cosmoses.sql_resources, (ours.group, ours.cosmos_name)
    with ours.on_machine() as credential, raises(CosmosHttpResponseError, status_code=403):
        orders(ours, credential).read_item("one", "ada")
    properties = {"roleName": "Reader of orders", "type": "CustomRole", "assignableScopes": [ours.cosmos]}
    permissions = [{"dataActions": [METADATA_READ, ITEMS_READ]}]
    definition = {"properties": {**properties, "permissions": permissions}}
    made = sql.begin_create_update_sql_role_definition(str(uuid.uuid4()), *whose, definition).result()
    equal((made.role_name, made.permissions[0].data_actions), ("Reader of orders", [METADATA_READ, ITEMS_READ]))
    whom = {"roleDefinitionId": made.id, "principalId": ours.identity_principal, "scope": ours.cosmos}
    sql.begin_create_update_sql_role_assignment(str(uuid.uuid4()), *whose, {"properties": whom}).result()
    equal([it.principal_id for it in sql.list_sql_role_assignments(*whose)], [ours.identity_principal])
    names = {it.role_name for it in sql.list_sql_role_definitions(*whose)}
    within("Reader of orders", names)
    with ours.on_machine() as credential:
        equal(orders(ours, credential).read_item("one", "ada")["customer"], "ada")
        with raises(CosmosHttpResponseError, status_code=403, message="items/create"):
            orders(ours, credential).create_item({"id": "two", "customer": "ada"})


@claim("a template is validated, says what it would change, and changes nothing yet")
def _(world):
    ours = world.libraries
    deployments, which = ours.deployments.deployments, (ours.group, "layout")
    validated = deployments.begin_validate(*which, template({"name": "laid"})).result()
    equal((validated.error, len(validated.properties.validated_resources)), (None, 1))
    would = deployments.begin_what_if(*which, template({"name": "laid"})).result()
    changes = {it.resource_id.split("/")[-1]: it.change_type for it in would.changes}
    equal((would.status, changes["laid"]), ("Succeeded", "Create"))
    with raises(ResourceNotFoundError, message="(ResourceNotFound)"):
        ours.network.virtual_networks.get(ours.group, "laid")
    with raises(HttpResponseError, status_code=400, message="(InvalidTemplate)"):
        deployments.begin_create_or_update(*which, template({"name": "x"})).result()


@claim("a template is deployed, makes its network, and tells its outputs and operations")
def _(world):
    ours = world.libraries
    deployments, which = ours.deployments.deployments, (ours.group, "layout")
    done = deployments.begin_create_or_update(*which, template({"name": "laid"})).result()
    equal(done.properties.provisioning_state, "Succeeded")
    made = ours.network.virtual_networks.get(ours.group, "laid")
    outputs = {name: it["value"] for name, it in done.properties.outputs.items()}
    equal(outputs, {"id": made.id, "prefixes": ["10.9.0.0/16"]})
    operations = ours.deployments.deployment_operations.list(*which)
    targets = [it.properties.target_resource.id for it in operations if it.properties.target_resource]
    equal(targets, [made.id])
    within("prefixes", deployments.export_template(*which).template["outputs"])
    ours.laid = made.id


@claim("tags are merged and taken away, and resources are found by them and by their type")
def _(world):
    ours = world.libraries
    tags, listed = ours.resources.tags, ours.resources.resources
    merged = tags.begin_update_at_scope(ours.laid, {"operation": "Merge", "properties": {"tags": {"crew": "red"}}})
    equal(merged.result().properties.tags, {"crew": "red"})
    equal([it.id for it in listed.list(filter="tagName eq 'crew' and tagValue eq 'red'")], [ours.laid])
    of_type = "resourceType eq 'Microsoft.Network/virtualNetworks'"
    names = sorted(it.name for it in listed.list_by_resource_group(ours.group, filter=of_type))
    equal(names, ["laid", "net"])
    tags.begin_delete_at_scope(ours.laid).result()
    equal(tags.get_at_scope(ours.laid).properties.tags or {}, {})


@claim("a resource is read, made and deleted by its id alone")
def _(world):
    ours = world.libraries
    resources, version = ours.resources.resources, {"api_version": "2024-05-01"}
    spare = ours.in_group("Microsoft.Network/publicIPAddresses/spare")
    body = {"location": LOCATION, "sku": {"name": "Standard"}, "properties": {"publicIPAllocationMethod": "Static"}}
    resources.begin_create_or_update_by_id(spare, body, **version).result()
    equal(resources.get_by_id(spare, **version).sku.name, "Standard")
    equal(resources.check_existence_by_id(spare, **version), True)
    resources.begin_delete_by_id(spare, **version).result()
    equal(resources.check_existence_by_id(spare, **version), False)


@claim("a locked group keeps what is in it, until the lock is taken away")
def _(world):
    ours = world.libraries
    locks, networks = ours.locks.management_locks, ours.network.virtual_networks
    body = {"level": "CanNotDelete", "notes": "for now"}
    made = locks.create_or_update_at_resource_group_level(ours.group, "kept", body)
    equal((made.level, made.notes), ("CanNotDelete", "for now"))
    with raises(HttpResponseError, status_code=409, message="(ScopeLocked)"):
        networks.begin_delete(ours.group, "laid").result()
    with raises(HttpResponseError, status_code=409, message="(ScopeLocked)"):
        ours.resources.resource_groups.begin_delete(ours.group).result()
    equal([it.name for it in locks.list_at_resource_group_level(ours.group)], ["kept"])
    locks.delete_at_resource_group_level(ours.group, "kept")
    equal(list(locks.list_at_resource_group_level(ours.group)), [])
    equal(networks.get(ours.group, "laid").id, ours.laid)


@claim("a network moves to another group; an identity does not")
def _(world):
    ours = world.libraries
    groups, resources = ours.resources.resource_groups, ours.resources.resources
    target = groups.create_or_update(ours.other_group, {"location": LOCATION}).id
    move = {"resources": [ours.laid], "targetResourceGroup": target}
    resources.begin_validate_move_resources(ours.group, move).result()
    equal(ours.network.virtual_networks.get(ours.group, "laid").id, ours.laid)
    resources.begin_move_resources(ours.group, move).result()
    equal([it.name for it in resources.list_by_resource_group(ours.other_group)], ["laid"])
    with raises(ResourceNotFoundError, message="(ResourceNotFound)"):
        ours.network.virtual_networks.get(ours.group, "laid")
    with raises(HttpResponseError, message="(ResourceMoveNotSupported)"):
        identity = {"resources": [ours.identity], "targetResourceGroup": target}
        resources.begin_move_resources(ours.group, identity).result()
    groups.begin_delete(ours.other_group).result()
    equal(groups.check_existence(ours.other_group), False)


@claim("the group is written as a template of what is in it")
def _(world):
    ours = world.libraries
    request = {"resources": ["*"], "options": "SkipAllParameterization"}
    written = ours.resources.resource_groups.begin_export_template(ours.group, request).result()
    types = {it["type"] for it in written.template["resources"]}
    for type_name in ("Microsoft.Compute/virtualMachines", "Microsoft.ManagedIdentity/userAssignedIdentities"):
        within(type_name, types)


@claim("azure-mgmt-monitor's activity log has what was done to the group, and by whom")
def _(world):
    ours = world.libraries
    since = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)
    asked = f"eventTimestamp ge '{since:%Y-%m-%dT%H:%M:%SZ}' and resourceGroupName eq '{ours.group}'"
    events = list(ours.monitor.activity_logs.list(filter=asked))
    done = {(it.operation_name.value, it.status.value) for it in events}
    within(("Microsoft.Compute/virtualMachines/write", "Succeeded"), done)
    within(("Microsoft.Network/virtualNetworks/delete", "Failed"), done)
    equal(len({it.caller for it in events}), 1)


@claim("a machine that is deleted takes its own identity along, and lets go of its disk and its interface")
def _(world):
    ours = world.libraries
    ours.compute.virtual_machines.begin_delete(ours.group, ours.vm_name).result()
    equal(ours.is_principal(ours.vm_principal), False)
    equal(ours.compute.disks.get(ours.group, "system").disk_state, "Unattached")
    ours.network.network_interfaces.begin_delete(ours.group, "card").result()
    equal(ours.network.public_ip_addresses.get(ours.group, "door").ip_configuration, None)


@claim("a group that is deleted takes everything in it along, the identity's principal too")
def _(world):
    ours = world.libraries
    equal(ours.is_principal(ours.identity_principal), True)
    poller = ours.resources.resource_groups.begin_delete(ours.group)
    poller.result()
    equal((poller.status(), ours.resources.resource_groups.check_existence(ours.group)), ("Succeeded", False))
    equal(ours.is_principal(ours.identity_principal), False)
    equal(ours.storages.storage_accounts.check_name_availability(storage_name(ours)).name_available, True)
    with raises(ResourceNotFoundError, message="(ResourceGroupNotFound)"):
        ours.identities.user_assigned_identities.get(ours.group, "managedIdentity")


def set_data_disks(ours, disks):
    change = {"properties": {"storageProfile": {"dataDisks": disks}}}
    ours.compute.virtual_machines.begin_update(ours.group, ours.vm_name, change).result()


def storage_name(ours):
    return {"name": ours.storage_name, "type": "Microsoft.Storage/storageAccounts"}


def assign(ours, role):
    """Assigns the role on the storage account to the user-assigned identity, by its principal's id alone."""
    body = {"properties": {"roleDefinitionId": role, "principalId": ours.identity_principal}}
    return ours.roles.role_assignments.create(ours.storage, str(uuid.uuid4()), body)


def refused_paper(ours):
    with raises(HttpResponseError, status_code=403, error_code="AuthorizationPermissionMismatch"):
        ours.paper()


def orders(ours, credential):
    client = CosmosClient(f"https://{ours.cosmos_name}.documents.azure.com:443/", credential=credential)
    return client.get_database_client("shop").get_container_client("orders")
