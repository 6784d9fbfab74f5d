//! Answers to writes and deletions, in the way of their kind (arm.md §7).

use azure::ids::ResourceId;
use serde_json::json;

use super::{
    kind::{Answer, Answers, Follow},
    polls::Links,
    precondition,
    remove::Removed,
    service::Asked,
    types::Type,
    write::Done,
};
use crate::{resources::State, service::Reply};

/// The header that says that a type is stored as it was sent, and nothing stands behind it.
const NO_PROVIDER: (&str, &str) = ("x-zaffre-provider", "none");

pub(super) fn written(id: &ResourceId, of: &Type, done: Done, asked: &Asked) -> Reply {
    let links = || Links::of((&asked.origin, &asked.requested), id, done.location.as_deref(), done.operation);
    let status = if done.is_new { 201 } else { 200 };
    let body = |status| Reply::json(status, &done.document);
    let reply = match of.kind.answers {
        Answers::Immediate | Answers::CreatedThenAsync if done.state.is_terminal() => body(status),
        Answers::Immediate | Answers::CreatedThenAsync => {
            followed(body(status), (&links(), asked), Follow::Status)
        }
        Answers::Ok if done.state.is_terminal() => body(200),
        Answers::Ok => followed(body(200), (&links(), asked), Follow::Status),
        Answers::AcceptedThenLocation if !done.is_new && done.state.is_terminal() => body(200),
        Answers::AcceptedThenLocation => {
            let empty = Reply::new(202).typed("text/plain; charset=utf-8", "");
            followed(empty, (&links(), asked), Follow::Location)
        }
        Answers::OkThenAsync => followed(body(200), (&links(), asked), Follow::Status),
        Answers::Enqueued => {
            followed(Reply::json(202, &json!({ "status": "Enqueued" })), (&links(), asked), Follow::Both)
        }
    };
    let shown = done.document.get("id").and_then(|it| it.as_str()).filter(|_| of.kind.locates && done.is_new);
    let reply = match shown {
        // The platform names it without a host and a version (resources.md §1). azure-mgmt-resource's
        // `begin_create_or_update_by_id` follows that as it stands, and a request without a version is refused.
        Some(id) => reply.with("Location", format!("{}{id}?api-version={}", asked.origin, asked.requested)),
        None => reply,
    };
    provided(tagged(reply, done.etag), of)
}

/// The status that `written` answers with, and whether an operation is to be followed.
pub(super) fn of_write(of: &Type, is_new: bool, state: State) -> (u16, bool) {
    match of.kind.answers {
        Answers::Immediate | Answers::CreatedThenAsync => {
            (if is_new { 201 } else { 200 }, !state.is_terminal())
        }
        Answers::Ok => (200, !state.is_terminal()),
        Answers::AcceptedThenLocation => (if is_new { 202 } else { 200 }, is_new),
        Answers::OkThenAsync => (200, true),
        Answers::Enqueued => (202, true),
    }
}

/// The same of `deleted`.
pub(super) fn of_removal(of: &Type, lasts: bool) -> (u16, bool) {
    match of.kind.answers {
        _ if of.is_group() || lasts => (202, true),
        Answers::Immediate | Answers::Ok | Answers::AcceptedThenLocation => (200, false),
        Answers::CreatedThenAsync | Answers::OkThenAsync | Answers::Enqueued => (202, true),
    }
}

pub(super) fn deleted(id: &ResourceId, of: &Type, removed: Removed, asked: &Asked) -> Reply {
    let Removed::Gone { operation, location, shown, lasts } = removed else {
        return provided(Reply::new(204), of);
    };
    let links = || Links::of((&asked.origin, &asked.requested), id, location.as_deref(), operation);
    let reply = match of.kind.answers {
        _ if of.is_group() => followed(Reply::new(202), (&links(), asked), Follow::Location),
        Answers::Immediate | Answers::Ok | Answers::AcceptedThenLocation if lasts => {
            followed(Reply::new(202), (&links(), asked), Follow::Both)
        }
        Answers::Immediate | Answers::Ok | Answers::AcceptedThenLocation => match shown {
            Some(shown) => Reply::json(200, &shown),
            None => Reply::new(200),
        },
        Answers::CreatedThenAsync | Answers::OkThenAsync => {
            followed(Reply::new(202), (&links(), asked), Follow::Both)
        }
        Answers::Enqueued => {
            followed(Reply::json(202, &json!({ "status": "Enqueued" })), (&links(), asked), Follow::Both)
        }
    };
    provided(reply, of)
}

/// A verb's or a function's answer.
pub(super) fn called(id: &ResourceId, location: Option<&str>, answer: Answer, asked: &Asked) -> Reply {
    let status = answer.status();
    let mut reply = match &answer.body {
        Some(body) => Reply::json(status, body),
        None => Reply::new(status),
    };
    for (name, value) in &answer.headers {
        reply.set(*name, value);
    }
    match answer.begun {
        Some((operation, follow)) => {
            let links = Links::of((&asked.origin, &asked.requested), id, location, operation);
            followed(reply, (&links, asked), follow)
        }
        None => reply,
    }
}

fn followed(reply: Reply, (links, asked): (&Links, &Asked), follow: Follow) -> Reply {
    let reply = match follow {
        Follow::Status => reply.with("Azure-AsyncOperation", &links.status),
        Follow::Location => reply.with("Location", &links.result),
        Follow::Both => reply.with("Azure-AsyncOperation", &links.status).with("Location", &links.result),
    };
    reply.with("Retry-After", asked.retry_after)
}

pub(super) fn tagged(reply: Reply, etag: Option<azure::ids::Guid>) -> Reply {
    match etag {
        Some(etag) => reply.with("ETag", precondition::etag(etag)),
        None => reply,
    }
}

pub(super) fn provided(reply: Reply, of: &Type) -> Reply {
    let is_done = of.is_known() && !of.kind.is_only_kept;
    if is_done { reply } else { reply.with(NO_PROVIDER.0, NO_PROVIDER.1) }
}
