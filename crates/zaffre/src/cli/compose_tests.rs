//! The compose files of the repository: each is YAML, and says what this program understands.

use clap::Parser as _;
use yaml_rust2::{Yaml, YamlLoader};

use super::Line;
use crate::front::listen::Wish;

const FILES: [(&str, &str); 2] = [
    ("compose.yaml", include_str!("../../../../compose.yaml")),
    ("docs/sidecar.compose.yaml", include_str!("../../../../docs/sidecar.compose.yaml")),
];
const IMAGE: &str = "localhost/zaffre";

fn services(text: &str) -> Vec<(String, Yaml)> {
    let document = YamlLoader::load_from_str(text).expect("YAML").remove(0);
    let services = document["services"].as_hash().expect("services").clone();
    services.into_iter().map(|(name, service)| (name.as_str().expect("a name").to_owned(), service)).collect()
}

fn texts(list: &Yaml) -> Vec<String> {
    list.as_vec().into_iter().flatten().map(|it| it.as_str().expect("a text").to_owned()).collect()
}

#[test]
fn every_command_of_ours_is_one_that_this_program_takes() {
    let mut seen = Vec::new();
    for (file, text) in FILES {
        for (name, service) in
            services(text).into_iter().filter(|(_, it)| it["image"].as_str() == Some(IMAGE))
        {
            let check = texts(&service["healthcheck"]["test"]);
            let check = check.get(2..).unwrap_or_default().to_vec();
            for words in [texts(&service["command"]), check].into_iter().filter(|it| !it.is_empty()) {
                let line = ["zaffre", "--data", "/data"].map(str::to_owned).into_iter().chain(words.clone());
                let taken = Line::try_parse_from(line);
                assert!(taken.is_ok(), "{file}, {name}: {words:?}: {}", taken.err().expect("was refused"));
                seen.push(words[0].clone());
            }
        }
    }
    assert_eq!(seen, ["sidecar", "sidecar"]);
}

#[test]
fn ports_are_published_on_loopback_under_their_own_numbers() {
    for (file, text) in FILES {
        for (name, service) in services(text) {
            for port in texts(&service["ports"]) {
                let parts: Vec<&str> = port.split(':').collect();
                assert!(
                    matches!(parts[..], ["127.0.0.1", out, inner] if out == inner),
                    "{file}, {name}: {port}"
                );
            }
        }
    }
    let known = ["proxy=10080", "blob=10000", "cosmos=8081"];
    assert!(known.iter().all(|it| it.parse::<Wish>().is_ok()));
}

#[test]
fn whoever_shares_a_network_shares_one_that_is_there_and_is_a_sidecars() {
    let shared = services(FILES[1].1);
    let (_, app) = shared.iter().find(|(name, _)| name == "app").expect("an application");
    let network =
        app["network_mode"].as_str().expect("somebody's").strip_prefix("service:").expect("a service's");
    let (_, sidecar) = shared.iter().find(|(name, _)| name == network).expect("that service");
    assert_eq!(texts(&sidecar["command"])[0], "sidecar");
    assert_eq!(texts(&sidecar["cap_add"]), ["NET_ADMIN"]);
}
