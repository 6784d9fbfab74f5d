"""What ends with what: identities with their machine, resources with their group."""

from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ManagedIdentityCredential

from claims import chapter, equal, raises, refused
from world import ARM_SCOPE, COMPUTE, IDENTITY, RESOURCES

CLAIMS, claim = chapter()


@claim("a machine that is deleted has no identity any more")
def _(world):
    world.delete(world.vm, COMPUTE)
    refused(world.ask("GET", world.vm, COMPUTE), 404, "ResourceNotFound")
    with raises(ClientAuthenticationError, message="Identity not found"):
        ManagedIdentityCredential().get_token(ARM_SCOPE)


@claim("the user-assigned identity outlives the machine")
def _(world):
    equal(world.get(world.identity, IDENTITY)["properties"]["principalId"], world.identity_principal)


@claim("a group that is deleted takes everything in it along")
def _(world):
    world.delete(world.group, RESOURCES)
    refused(world.ask("GET", world.group, RESOURCES), 404, "ResourceGroupNotFound")
    refused(world.ask("GET", world.identity, IDENTITY), 404, "ResourceGroupNotFound")
