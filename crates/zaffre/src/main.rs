//! The program: a guest's init where it was started as one, else the command line.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    guest::init::main_if_asked();
    zaffre::cli::main()
}
