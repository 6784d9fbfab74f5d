//! What control refuses, each with words that say what to do.

use azure::error::Row;

pub(super) static NOT_FOUND: Row = row("NotFound", 404, "control has no `{0}`");
pub(super) static METHOD_NOT_ALLOWED: Row = row("MethodNotAllowed", 405, "control has no {0} of `{1}`");
pub(super) static NOT_LISTENING: Row = row("NotListening", 409, "this cloud has no listeners");
pub(super) static NO_VMS: Row = row("VmNotFound", 404, "this cloud has no virtual machines yet");
pub(super) static NO_SUCH_VM: Row =
    row("VmNotFound", 404, "no virtual machine is called `{0}`; there are: {1}");
pub(super) static MANY_SUCH_VMS: Row =
    row("VmAmbiguous", 409, "several virtual machines are called `{0}`; give one of their ids: {1}");
pub(super) static NO_PROXY: Row = row(
    "NoProxy",
    409,
    "the proxy is off, and the variables would lead nowhere; leave `--port proxy=off` away",
);
pub(super) static BAD_COMMAND: Row = row("BadCommand", 400, "the command cannot be read: {0}");
pub(super) static NO_SUCH_KIND: Row =
    row("NoSuchHostKind", 400, "no kind of host is called `{0}`; there are: {1}");
pub(super) static NO_HOSTS: Row = row(
    "NoHosts",
    409,
    "other hosts' identities are off, and the variables would lead nowhere; leave `--port hosts=off` away",
);
pub(super) static NO_SUCH_RESOURCE: Row = row(
    "ResourceNotFound",
    404,
    "no resource with an identity is called `{0}`; give its id or its name with `--as`",
);
pub(super) static MANY_SUCH_RESOURCES: Row =
    row("ResourceAmbiguous", 409, "several resources are called `{0}`; give one of their ids: {1}");
pub(super) static NO_SUCH_USER: Row = row("UserNotFound", 404, "no user is called `{0}`");
pub(super) static NO_SUCH_PRINCIPAL: Row = row(
    "PrincipalNotFound",
    404,
    "nobody is called `{0}`: give a user's principal name, or an application's name or client id",
);
pub(super) static MANY_SUCH_APPLICATIONS: Row =
    row("PrincipalAmbiguous", 409, "several applications are called `{0}`; give the client id of one: {1}");
pub(super) static BAD_FORWARD: Row =
    row("BadForward", 400, "`{0}` is no port, nor two with a colon between them");
pub(super) static NO_SHELL_FOLDER: Row = row("NoShellFolder", 500, "`{0}` cannot be made: {1}");
pub(super) static NO_IDENTITY: Row = row("NoIdentity", 409, "`{0}` has no identity; assign one to it first");
pub(super) static NO_USER_ASSIGNED: Row =
    row("NoIdentity", 409, "`{0}` is no user-assigned identity, and workload identity is of those alone");
pub(super) static NO_FEDERATION: Row = row(
    "NoFederatedCredential",
    409,
    "the identity `{0}` believes nobody here: give it a federated identity credential with the issuer `{1}`, the audience `{2}` \
     and a subject such as `system:serviceaccount:default:app`",
);
pub(super) static NO_TOKEN_FILE: Row = row("NoTokenFile", 500, "the token cannot be written: {0}");
pub(super) static NO_ARC_TOKENS: Row = row(
    "NoArcTokens",
    409,
    "Azure Arc's clients read challenges in `{0}` alone, and it cannot be used: {1}; \
     `sudo install -d -m 0700 -o \"$USER\" {0}` makes it",
);
pub(super) static NO_SUCH_EVENT: Row = row(
    "NoSuchEvent",
    400,
    "no scheduled event is called `{0}`; there are: Freeze, Reboot, Redeploy, Preempt, Terminate",
);
pub(super) static BAD_NOTICE: Row = row("BadNotice", 400, "`{0}` is no number of seconds, at most a year");
pub(super) static BAD_BACKUP: Row = row("BadBackup", 400, "the backup cannot be begun: {0}");
pub(super) static BAD_ISSUER: Row = row("BadIssuer", 400, "the issuer cannot be believed: {0}");
pub(super) static NO_SUCH_ISSUER: Row = row("IssuerNotFound", 404, "no keys of `{0}` were given");
pub(super) static UPKEEP_FAILED: Row = row("UpkeepFailed", 500, "{0}");
pub(super) static NO_GUESTS: Row =
    row("NoGuests", 501, "this cloud runs no guests, so nothing can be run in `{0}`");

const fn row(code: &'static str, status: u16, template: &'static str) -> Row {
    Row { code, status, template, source: "our own" }
}
