//! Logs go to standard error; `RUST_LOG` chooses what is said.

use crate::cli::Command;
use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// Starts logging: services say what they do, commands only what is wrong.
pub fn start(command: &Command) {
    let quiet = "error";
    let service = "warn,ashlar=info,chain=info,rpc=info,gateway=info,operations=info,client=info";
    let default = match command {
        Command::Node(_) | Command::Follow(_) | Command::Gateway(_) => service,
        // Whom a founder waits for is what people want to know.
        Command::Network(_) => "error,chain::ceremony=info",
        // A simulation breaks things on purpose; what counts is its report.
        Command::Sim(_) | Command::Vectors(_) => "off",
        _ => quiet,
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .init();
}
