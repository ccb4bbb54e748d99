//! The one binary.

use std::process::ExitCode;

/// Gives back to the system what has been counted and forgotten again.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    contactpoint::command::run()
}
