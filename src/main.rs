//! The one binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    contactpoint::command::run()
}
