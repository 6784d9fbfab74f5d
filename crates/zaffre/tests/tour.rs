//! The tours, taken by the program as a process, in real guests.

use std::{path::Path, process::Command};

use zaffre::tour::TOURS;

struct Taken {
    code: i32,
    last_line: String,
    all: String,
}

fn take(words: &[&str]) -> Taken {
    let output = Command::new(env!("CARGO_BIN_EXE_zaffre")).arg("tour").args(words).output().expect("starts");
    let all = String::from_utf8_lossy(&output.stdout).into_owned();
    let last_line = all.lines().last().unwrap_or_default().to_owned();
    Taken { code: output.status.code().unwrap_or(-1), last_line, all }
}

fn has_guests() -> bool {
    let refused = guest::probe(Path::new(env!("CARGO_BIN_EXE_zaffre"))).err();
    if let Some(refused) = &refused {
        eprintln!("left out: this machine allows no guests: {refused}");
    }
    refused.is_none()
}

#[test]
fn every_tour_goes_as_it_should_and_says_so() {
    if !has_guests() {
        return;
    }
    let taken = take(&["--all"]);
    assert_eq!(taken.code, 0, "{}", taken.all);
    assert!(
        taken.last_line.starts_with("tour: ") && taken.last_line.ends_with(" steps, 0 differ"),
        "{}",
        taken.last_line
    );
    assert!(!taken.all.contains("DIFFERS"));
    let steps: usize = taken.last_line.split(' ').nth(1).and_then(|it| it.parse().ok()).expect("a number");
    assert_eq!(taken.all.lines().filter(|it| it.starts_with('[')).count(), steps, "each step is shown");
}

#[test]
fn a_tour_without_any_one_of_its_role_assignments_fails() {
    if !has_guests() {
        return;
    }
    for tour in TOURS {
        assert!(tour.grants() > 0, "{}", tour.name);
        for number in 1..=tour.grants() {
            let taken = take(&[tour.name, "--leave-out", &format!("role-assignment={number}")]);
            assert_ne!(taken.code, 0, "{} without {number}: {}", tour.name, taken.all);
            // The page's own role at the page's own scope opens nothing: only the list misses it.
            let missed = match (tour.name, number) {
                ("storage", 1) => "DIFFERS: `/value/0/properties/scope` should be",
                _ => "DIFFERS: the status should be 200, and is 403",
            };
            assert!(taken.all.contains(missed), "{} without {number}: {}", tour.name, taken.all);
        }
    }
}

#[test]
fn no_key_and_no_token_is_printed_whole() {
    if !has_guests() {
        return;
    }
    let taken = take(&["resource-manager"]);
    let is_whole_token = |word: &str| word.contains("eyJ") && word.len() > 60;
    let found = taken.all.split(|it: char| it.is_whitespace() || it == '"').find(|it| is_whole_token(it));
    assert_eq!(found, None);
}

/// The one list: what the tours say is wrong with a page is what the Azure CLI's story of the same page names.
#[test]
fn the_stories_of_the_pages_name_what_the_tours_correct() {
    let stories = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../clients/az/stories");
    for tour in TOURS {
        let story = stories.join(format!("tutorial_{}.txt", tour.name.replace('-', "_")));
        let text = std::fs::read_to_string(&story).unwrap_or_else(|why| panic!("{}: {why}", story.display()));
        let mut named: Vec<&str> = text.lines().filter_map(|it| it.strip_prefix("~ ")).collect();
        let mut corrected: Vec<&str> = tour.corrections().iter().map(|it| it.name).collect();
        named.sort_unstable();
        corrected.sort_unstable();
        assert_eq!(named, corrected, "{}", tour.name);
    }
}
