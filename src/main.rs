//! The command line: see [`crossbayes::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    crossbayes::cli::main()
}
