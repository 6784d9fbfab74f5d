//! What the addresses of an operation tell when what it was about is gone.

use std::time::Duration;

use zaffre::Server;

use super::{
    said,
    subjects::{Stage, Subject},
};
use crate::world::{Answer, Ask, NOW, World};

/// By which an operation is followed.
const HEADERS: [&str; 2] = ["azure-asyncoperation", "location"];
/// Nothing takes longer.
const LONG: Duration = Duration::from_secs(3_600);

/// Case, answer and kind, in a cloud whose operations take the platform's time: a resource is deleted while it is
/// made, and when that has ended both operations are asked after.
pub(super) async fn after_deletion() -> Vec<(String, String, String)> {
    let server = Server::in_memory_taking_its_time(1, NOW).await;
    let mut stage = Stage::in_world(World::bare(server).await, LONG).await;
    let mut rows = Vec::new();
    let subjects = std::mem::take(&mut stage.subjects);
    for subject in subjects.iter().filter(|it| it.is_put) {
        let Some(path) = subject.fresh(901) else { continue };
        let put = stage.world.ask(&stage.put(subject, &path)).await;
        let deleted = stage.world.ask(&stage.ask("DELETE", subject, &path)).await;
        stage.world.wait(LONG).await;
        for (what, answer) in [("PUT", put), ("DELETE", deleted)] {
            for header in HEADERS {
                let Some(ask) = followed(&stage, &answer, header) else { continue };
                let case = format!("the {what}'s {header}, asked when the resource is deleted");
                rows.push((case, told(subject, &ask, &stage.world.ask(&ask).await), subject.name.clone()));
            }
        }
    }
    rows.sort();
    rows
}

/// The address in a header, if it is one of an operation's.
fn followed(stage: &Stage, answer: &Answer, header: &str) -> Option<Ask> {
    let (_, behind) = answer.header(header).split_once("://")?;
    let at = behind.find('/')?;
    Some(stage.world.arm("GET", &behind[at..]))
}

fn told(subject: &Subject, ask: &Ask, answer: &Answer) -> String {
    let body = answer.json();
    match body.get("status").and_then(|it| it.as_str()) {
        Some(status) => match body["error"]["code"].as_str() {
            Some(code) => format!("{}: {status}, {code}", answer.status),
            None => format!("{}: {status}", answer.status),
        },
        None => said(subject, ask, answer),
    }
}
