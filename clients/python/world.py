"""What the claims share: a client of Resource Manager over plain HTTP, and the names of what was made.

The bodies are the ones Azure documents. Long-running operations are followed as its clients follow them: by
`Azure-AsyncOperation`, else by `Location`, else by `provisioningState`.
"""

import base64
import datetime
import os
import time
import uuid

import requests
from azure.identity import ClientSecretCredential
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

ARM = "https://management.azure.com"
ARM_SCOPE = f"{ARM}/.default"
LOCATION = "westeurope"
GRAPH = "https://graph.microsoft.com"
EXCHANGE = "api://AzureADTokenExchange"
OPERATION_SECONDS = 60

RESOURCES = "2021-04-01"
AUTHORIZATION = "2022-04-01"
COMPUTE = "2024-07-01"
COSMOS = "2024-11-15"
IDENTITY = "2023-01-31"
STORAGE = "2023-01-01"


class World:
    """The default cloud, seen as its administrator's application."""

    def __init__(self):
        self.tenant = os.environ["AZURE_TENANT_ID"]
        self.client = os.environ["AZURE_CLIENT_ID"]
        self.subscription = f"/subscriptions/{os.environ['AZURE_SUBSCRIPTION_ID']}"
        self.group = f"{self.subscription}/resourceGroups/python"
        self.vm = self.in_group("Microsoft.Compute/virtualMachines/pythonVM")
        self.identity = self.in_group("Microsoft.ManagedIdentity/userAssignedIdentities/pythonIdentity")
        self.storage_name = "zaffrepython"
        self.storage = self.in_group(f"Microsoft.Storage/storageAccounts/{self.storage_name}")
        self.container_name = "reports"
        self.container = f"{self.storage}/blobServices/default/containers/{self.container_name}"
        self.cosmos_name = "zaffre-python"
        self.cosmos = self.in_group(f"Microsoft.DocumentDB/databaseAccounts/{self.cosmos_name}")
        self.session = requests.Session()
        self.credential = ClientSecretCredential(self.tenant, self.client, os.environ["AZURE_CLIENT_SECRET"])

    def in_group(self, resource):
        return f"{self.group}/providers/{resource}"

    def ask(self, method, path, version, body=None, token=None, **query):
        """One request to Resource Manager, as the administrator's application unless a token is given."""
        token = token or self.credential.get_token(ARM_SCOPE).token
        parameters = {"api-version": version, **query} if version else query
        headers = {"Authorization": f"Bearer {token}"}
        url = path if path.startswith("https://") else ARM + path
        return self.session.request(method, url, params=parameters, json=body, headers=headers, timeout=30)

    def get(self, path, version, **query):
        return good(self.ask("GET", path, version, **query)).json()

    def post(self, path, version, body=None):
        return good(self.ask("POST", path, version, body)).json()

    def put(self, path, version, body):
        """Makes or replaces, waits until that is done, and gives what is there then."""
        self._finish(good(self.ask("PUT", path, version, body)))
        made = self.get(path, version)
        assert made.get("properties", {}).get("provisioningState", "Succeeded") == "Succeeded", made
        return made

    def delete(self, path, version):
        self._finish(good(self.ask("DELETE", path, version)))

    def assign(self, role_name, principal, scope):
        """Assigns a built-in role, found by its name as `az role assignment create` finds it."""
        definitions = f"{scope}/providers/Microsoft.Authorization/roleDefinitions"
        [role] = self.get(definitions, AUTHORIZATION, **{"$filter": f"roleName eq '{role_name}'"})["value"]
        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
        named = {"roleDefinitionId": role["id"], "principalId": principal, "principalType": "ServicePrincipal"}
        return good(self.ask("PUT", path, AUTHORIZATION, {"properties": named})).json()

    def _finish(self, response):
        """Follows an operation to its end. Polls are close together: the cloud is on this machine."""
        operation = response.headers.get("Azure-AsyncOperation")
        location = response.headers.get("Location") if response.status_code == 202 else None
        deadline = time.monotonic() + OPERATION_SECONDS
        while operation or location:
            poll = good(self.ask("GET", operation or location, None))
            is_done = poll.json()["status"] == "Succeeded" if operation else poll.status_code != 202
            if is_done:
                return
            assert not operation or poll.json()["status"] not in ("Failed", "Canceled"), poll.text
            assert time.monotonic() < deadline, f"not finished after {OPERATION_SECONDS} s: {poll.text}"
            time.sleep(0.05)


class Directory:
    """Microsoft Graph, asked by plain requests as the administrator's application."""

    def __init__(self, credential):
        self.credential = credential

    def ask(self, method, path, body=None):
        token = self.credential.get_token(f"{GRAPH}/.default").token
        headers = {"Authorization": f"Bearer {token}"}
        answer = good(requests.request(method, f"{GRAPH}/v1.0{path}", json=body, headers=headers, timeout=30))
        return answer.json() if answer.content else None

    def register(self, name, certificate=None):
        """An application with its service principal, and what proves it."""
        keys = []
        if certificate:
            key = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()
            keys = [{"type": "AsymmetricX509Cert", "usage": "Verify", "key": key}]
        application = self.ask("POST", "/applications", {"displayName": name, "keyCredentials": keys})
        self.ask("POST", "/servicePrincipals", {"appId": application["appId"]})
        return application

    def trust(self, application, issuer, subject):
        body = {"name": "trusted", "issuer": issuer, "subject": subject, "audiences": [EXCHANGE]}
        self.ask("POST", f"/applications/{application['id']}/federatedIdentityCredentials", body)

    def expose(self, application):
        """Gives the application a name by which tokens for it are asked, and a permission in a user's name."""
        scope = {
            "id": str(uuid.uuid4()),
            "value": "access",
            "type": "User",
            "isEnabled": True,
            "adminConsentDisplayName": "access",
            "adminConsentDescription": "access",
        }
        body = {
            "identifierUris": [f"api://{application['appId']}"],
            "api": {"oauth2PermissionScopes": [scope]},
        }
        self.ask("PATCH", f"/applications/{application['id']}", body)

    def secret(self, application):
        return self.ask("POST", f"/applications/{application['id']}/addPassword", {})["secretText"]

    def person(self, name, password):
        """A user who signs in by this name and password."""
        user = f"{name}@contoso.onmicrosoft.com"
        profile = {"password": password, "forceChangePasswordNextSignIn": False}
        names = {"displayName": name, "mailNickname": name, "userPrincipalName": user}
        self.ask("POST", "/users", {**names, "accountEnabled": True, "passwordProfile": profile})
        return user, password


def certificate(name):
    """A key, and a certificate that it signed for itself."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now)
    return key, builder.not_valid_after(now + datetime.timedelta(days=2)).sign(key, hashes.SHA256())


def good(response):
    assert response.ok, f"{response.request.method} {response.url}: {response.status_code} {response.text}"
    return response
