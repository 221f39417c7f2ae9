//! Which program this is: what it can take part in, and how a process says that it cannot.

use crate::{format::FORMAT, format::NewerFormat, p2p::WIRE_VERSION};
use chain::{Outdated, Program};
use std::{process::ExitCode, sync::LazyLock};

/// The exit code of a process whose program is too old for its network or its data. To start it again is of no use; to install
/// a newer one is.
pub const TOO_OLD: u8 = 3;

/// What `ashlar --version` says.
pub static LONG: LazyLock<String> = LazyLock::new(|| {
    let Program { protocol, forks } = Program::default();
    let forks: Vec<_> = forks.iter().map(|fork| fork.name()).collect();
    format!(
        "{}\nprotocol version  {protocol}\nforks             {}\np2p version       {WIRE_VERSION}\ndata format       {FORMAT}",
        env!("CARGO_PKG_VERSION"),
        forks.join(", ")
    )
});

/// The exit code of a process that ended with this error.
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    if error.is::<Outdated>() || error.is::<NewerFormat>() {
        ExitCode::from(TOO_OLD)
    } else {
        ExitCode::FAILURE
    }
}
