//! The guests' init and nothing else: what a test names as `Spec::init` when its own binary has no `main` of ours.

fn main() -> std::process::ExitCode {
    guest::init::main_if_asked();
    eprintln!("started by hand: this is the first process of a guest, and has nothing to do here");
    std::process::ExitCode::FAILURE
}
