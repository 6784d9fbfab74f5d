"""What the chapter of Azure's management libraries shares: a client of each, the names in its own group, and bodies.

Bodies are spelled as Azure documents them and go into the libraries as they are; what comes out are the libraries' own
models. The one option set on the clients is how long they wait between polls where the server names no time.
"""

import os
from contextlib import contextmanager

import requests
from azure.identity import ManagedIdentityCredential
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.cosmosdb import CosmosDBManagementClient
from azure.mgmt.monitor import MonitorManagementClient
from azure.mgmt.msi import ManagedServiceIdentityClient
from azure.mgmt.network import NetworkManagementClient
from azure.mgmt.resource.deployments import DeploymentsMgmtClient
from azure.mgmt.resource.locks import ManagementLockClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.storage import StorageManagementClient
from azure.storage.blob import BlobServiceClient

import cloud
from world import GRAPH, LOCATION

POLL_SECONDS = 0.05
SSH_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGZvciB0ZXN0cyBhbG9uZSwgbm9ib2R5IGhhcyBpdHM= nobody"
UBUNTU = {
    "publisher": "Canonical",
    "offer": "0001-com-ubuntu-server-jammy",
    "sku": "22_04-lts-gen2",
    "version": "latest",
}


class Libraries:
    """The administrator's application, by the libraries; `group` and what is named here are this chapter's alone."""

    def __init__(self, world):
        self.group, self.other_group, self.vm_name = "management", "management-moved", "managedVM"
        self.storage_name, self.container_name, self.cosmos_name = "zaffremanaged", "papers", "zaffre-managed"
        self.subscription, self.tenant, self.credential = world.subscription, world.tenant, world.credential
        self.scope = f"{self.subscription}/resourceGroups/{self.group}"
        self.identity = self.in_group("Microsoft.ManagedIdentity/userAssignedIdentities/managedIdentity")
        self.vm = self.in_group(f"Microsoft.Compute/virtualMachines/{self.vm_name}")
        self.storage = self.in_group(f"Microsoft.Storage/storageAccounts/{self.storage_name}")
        self.cosmos = self.in_group(f"Microsoft.DocumentDB/databaseAccounts/{self.cosmos_name}")
        self.resources = self._client(ResourceManagementClient)
        self.deployments = self._client(DeploymentsMgmtClient)
        self.locks = self._client(ManagementLockClient)
        self.identities = self._client(ManagedServiceIdentityClient)
        self.network = self._client(NetworkManagementClient)
        self.compute = self._client(ComputeManagementClient)
        self.storages = self._client(StorageManagementClient)
        self.cosmoses = self._client(CosmosDBManagementClient)
        self.roles = self._client(AuthorizationManagementClient)
        self.monitor = self._client(MonitorManagementClient)

    def in_group(self, resource):
        return f"{self.scope}/providers/{resource}"

    def power(self):
        """The machine's power, as the instance view's second status has it."""
        view = self.compute.virtual_machines.instance_view(self.group, self.vm_name)
        [power] = [it.code for it in view.statuses if it.code.startswith("PowerState/")]
        return power

    def role(self, name):
        """A role definition, found by its name."""
        [role] = self.roles.role_definitions.list(self.scope, filter=f"roleName eq '{name}'")
        return role

    def paper(self):
        """What the blob says to the user-assigned identity on the machine."""
        with self.on_machine() as credential:
            return self.blob(credential).download_blob().readall()

    def blob(self, credential):
        service = BlobServiceClient(f"https://{self.storage_name}.blob.core.windows.net", credential=credential)
        return service.get_blob_client(self.container_name, "paper.txt")

    @contextmanager
    def on_machine(self):
        """This process is the machine while the block runs, and signs in as its user-assigned identity."""
        before = dict(os.environ)
        os.environ.update(cloud.client_variables("--as-vm", self.vm_name))
        try:
            with ManagedIdentityCredential(client_id=self.identity_client) as credential:
                yield credential
        finally:
            os.environ.clear()
            os.environ.update(before)

    def is_principal(self, object_id):
        """Whether the directory has a service principal of this object id."""
        headers = {"Authorization": f"Bearer {self.credential.get_token(f'{GRAPH}/.default').token}"}
        answer = requests.get(f"{GRAPH}/v1.0/servicePrincipals/{object_id}", headers=headers, timeout=30)
        assert answer.status_code in (200, 404), answer.text
        return answer.ok

    def _client(self, of):
        return of(self.credential, self.subscription.split("/")[2], polling_interval=POLL_SECONDS)


def network(security_group):
    subnet = {"addressPrefix": "10.7.1.0/24", "networkSecurityGroup": {"id": security_group}}
    space, subnets = {"addressPrefixes": ["10.7.0.0/16"]}, [{"name": "front", "properties": subnet}]
    return {"location": LOCATION, "properties": {"addressSpace": space, "subnets": subnets}}


def security_rule(port, priority):
    properties = {
        "protocol": "Tcp",
        "access": "Allow",
        "direction": "Inbound",
        "priority": priority,
        "sourceAddressPrefix": "*",
        "sourcePortRange": "*",
        "destinationAddressPrefix": "*",
        "destinationPortRange": str(port),
    }
    return {"properties": properties}


def interface(subnet, public_address):
    configuration = {"subnet": {"id": subnet}, "publicIPAddress": {"id": public_address}}
    return {"location": LOCATION, "properties": {"ipConfigurations": [{"name": "first", "properties": configuration}]}}


def virtual_machine(identity, interface_id):
    return {
        "location": LOCATION,
        "identity": {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {identity: {}}},
        "properties": {
            "hardwareProfile": {"vmSize": "Standard_B2s"},
            "storageProfile": {"imageReference": UBUNTU, "osDisk": {"createOption": "FromImage", "name": "system"}},
            "osProfile": os_profile("computerName"),
            "networkProfile": {"networkInterfaces": [{"id": interface_id, "properties": {"primary": True}}]},
        },
    }


def scale_set(subnet, capacity):
    configuration = {"name": "first", "properties": {"subnet": {"id": subnet}}}
    card = {"name": "card", "properties": {"primary": True, "ipConfigurations": [configuration]}}
    profile = {
        "storageProfile": {"imageReference": UBUNTU, "osDisk": {"createOption": "FromImage"}},
        "osProfile": os_profile("computerNamePrefix"),
        "networkProfile": {"networkInterfaceConfigurations": [card]},
    }
    properties = {"orchestrationMode": "Uniform", "upgradePolicy": {"mode": "Manual"}, "virtualMachineProfile": profile}
    sku = {"name": "Standard_B1s", "capacity": capacity}
    return {"location": LOCATION, "sku": sku, "identity": {"type": "SystemAssigned"}, "properties": properties}


def os_profile(naming):
    keys = [{"path": "/home/azureuser/.ssh/authorized_keys", "keyData": SSH_KEY}]
    linux = {"disablePasswordAuthentication": True, "ssh": {"publicKeys": keys}}
    return {naming: "managed", "adminUsername": "azureuser", "linuxConfiguration": linux}


def template(parameters):
    """A deployment that makes a network of the name it is given, and tells its id and first prefix."""
    network_type = "Microsoft.Network/virtualNetworks"
    reference = f"reference(resourceId('{network_type}', parameters('name')))"
    prefix = {"addressSpace": {"addressPrefixes": ["10.9.0.0/16"]}}
    made = {"type": network_type, "apiVersion": "2024-05-01", "name": "[parameters('name')]", "properties": prefix}
    document = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "parameters": {"name": {"type": "string", "minLength": 3}},
        "resources": [{**made, "location": "[resourceGroup().location]"}],
        "outputs": {
            "id": {"type": "string", "value": f"[resourceId('{network_type}', parameters('name'))]"},
            "prefixes": {"type": "array", "value": f"[{reference}.addressSpace.addressPrefixes]"},
        },
    }
    given = {name: {"value": value} for name, value in parameters.items()}
    return {"properties": {"mode": "Incremental", "template": document, "parameters": given}}
