"""Tokens that must not be believed, each refused by Resource Manager with Azure's own code.

An expired token needs a clock that can be moved; the transcripts of the program's own tests show it.
"""

import base64
import json

from azure.identity import ManagedIdentityCredential

from claims import chapter, equal, refused
from world import ARM_SCOPE, RESOURCES

CLAIMS, claim = chapter()


@claim("the machine's token is good to begin with")
def _(world):
    world.token = ManagedIdentityCredential().get_token(ARM_SCOPE).token
    equal(ask(world, world.token).status_code, 200)


@claim("a token with one changed byte is refused, in whichever of its parts")
def _(world):
    for part in range(3):
        parts = world.token.split(".")
        middle = len(parts[part]) // 2
        changed = "A" if parts[part][middle] != "A" else "B"
        parts[part] = parts[part][:middle] + changed + parts[part][middle + 1 :]
        refused(ask(world, ".".join(parts)), 401, "InvalidAuthenticationToken")


@claim("a token without a signature is refused, however it is spelled")
def _(world):
    _, body, signature = world.token.split(".")
    for algorithm in ("none", "None", "NONE", "HS256"):
        header = encoded({"typ": "JWT", "alg": algorithm})
        for end in ("", signature):
            refused(ask(world, f"{header}.{body}.{end}"), 401, "InvalidAuthenticationToken")


@claim("a token for another audience is refused, and the refusal names the audiences that would do")
def _(world):
    token = ManagedIdentityCredential().get_token("https://storage.azure.com/.default").token
    refused(ask(world, token), 401, "InvalidAuthenticationTokenAudience")


@claim("what is no token at all is refused")
def _(world):
    for nonsense in ("x", "a.b.c", "..", "." * 1000, "\u00e9".encode().decode("latin-1")):
        refused(ask(world, nonsense), 401, "InvalidAuthenticationToken")


def ask(world, token):
    return world.ask("GET", world.group, RESOURCES, token=token)


def encoded(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
