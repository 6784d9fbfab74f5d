"""How people sign in, to azure-identity and to MSAL beneath it: password, device code, a browser; and silently after."""

import os

import jwt
import msal
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import DeviceCodeCredential, OnBehalfOfCredential, UsernamePasswordCredential

from applications import authority, claims_of, good
from claims import chapter, equal, raises, within
from world import ARM_SCOPE, Directory

CLAIMS, claim = chapter()

AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
DEVICE_PAGE = "https://login.microsoftonline.com/common/oauth2/deviceauth"
STORAGE_SCOPE = "https://storage.azure.com/.default"


@claim("a person is made through Graph, and signs in by name and password")
def _(world):
    world.directory = Directory(world.credential)
    world.person = world.directory.person("meret", "Correct-horse-7")
    credential = UsernamePasswordCredential(AZURE_CLI, *world.person, tenant_id=world.tenant)
    claims = claims_of(credential.get_token(ARM_SCOPE).token)
    equal((claims["upn"], claims["idtyp"], claims["appid"]), (world.person[0], "user", AZURE_CLI))


@claim("a wrong password is refused as AADSTS50126")
def _(world):
    credential = UsernamePasswordCredential(AZURE_CLI, world.person[0], "wrong", tenant_id=world.tenant)
    with raises(ClientAuthenticationError, message="AADSTS50126"):
        credential.get_token(ARM_SCOPE)


@claim("a person signs in on another device")
def _(world):
    def prompt(uri, code, expires):
        equal(uri, DEVICE_PAGE)
        enter(world, code)

    credential = DeviceCodeCredential(AZURE_CLI, tenant_id=world.tenant, prompt_callback=prompt)
    equal(claims_of(credential.get_token(ARM_SCOPE).token)["upn"], world.person[0])


@claim("MSAL gets tokens for other resources silently, and none after the account is removed")
def _(world):
    application = public(world)
    flow = application.initiate_device_flow([ARM_SCOPE])
    enter(world, flow["user_code"])
    first = application.acquire_token_by_device_flow(flow)
    claims_of(good(first))
    equal(first["id_token_claims"]["preferred_username"], world.person[0])
    [account] = application.get_accounts()
    second = claims_of(good(application.acquire_token_silent([STORAGE_SCOPE], account)))
    equal((second["aud"], second["upn"]), ("https://storage.azure.com", world.person[0]))
    application.remove_account(account)
    equal(application.acquire_token_silent([STORAGE_SCOPE], account), None)


@claim("a code that nobody has entered yet is pending, and one that was refused says so")
def _(world):
    application = public(world)
    flow = application.initiate_device_flow([ARM_SCOPE])
    pending = application.acquire_token_by_device_flow(flow, exit_condition=lambda _: True)
    equal(pending["error"], "authorization_pending")
    requests.post(DEVICE_PAGE, data={"user_code": flow["user_code"], "cancel": "1"}, timeout=30)
    equal(application.acquire_token_by_device_flow(flow)["error"], "authorization_declined")


@claim("an authorization code is redeemed once, by who holds its verifier")
def _(world):
    application = public(world)
    flow = application.initiate_auth_code_flow([ARM_SCOPE], redirect_uri="http://localhost:5000")
    form = dict(zip(("username", "password"), world.person))
    page = requests.post(flow["auth_uri"], data=form, timeout=30, allow_redirects=False)
    answer = sent_to(page)
    good(application.acquire_token_by_auth_code_flow(flow, answer))
    again = application.acquire_token_by_auth_code_flow(flow, answer)
    equal(again["error"], "invalid_grant")


@claim("the token of a person is verified by the keys that the tenant publishes")
def _(world):
    credential = UsernamePasswordCredential(AZURE_CLI, *world.person, tenant_id=world.tenant)
    token = credential.get_token(STORAGE_SCOPE).token
    keys = requests.get(f"{authority(world)}/discovery/v2.0/keys", timeout=30).json()
    key = jwt.PyJWKSet.from_dict(keys)[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, algorithms=["RS256"], audience="https://storage.azure.com")
    equal(claims["iss"], f"https://sts.windows.net/{world.tenant}/")


@claim("an application passes its user on")
def _(world):
    api = world.directory.register("middle")
    world.directory.expose(api)
    secret = world.directory.secret(api)
    user = UsernamePasswordCredential(AZURE_CLI, *world.person, tenant_id=world.tenant)
    assertion = user.get_token(f"api://{api['appId']}/.default").token
    credential = OnBehalfOfCredential(world.tenant, api["appId"], client_secret=secret, user_assertion=assertion)
    claims = claims_of(credential.get_token(ARM_SCOPE).token)
    equal((claims["upn"], claims["appid"]), (world.person[0], api["appId"]))


def public(world):
    return msal.PublicClientApplication(AZURE_CLI, authority=authority(world))


def enter(world, code):
    """What the person does in a browser, on the page that the message names."""
    form = {"username": world.person[0], "password": world.person[1], "user_code": code}
    page = requests.post(DEVICE_PAGE, data=form, timeout=30)
    within("You may now close this window", page.text)


def sent_to(page):
    """The fields that the browser is sent back to the application with."""
    query = requests.utils.urlparse(page.headers["Location"]).query
    return dict(pair.split("=", 1) for pair in requests.utils.unquote(query).split("&"))
