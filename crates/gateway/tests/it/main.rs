//! The real gateway on a real loopback port, against a scripted node that executes the rules of `Records` and signs
//! certificates with a test key over real headers and tries.

#[allow(
    dead_code,
    reason = "shared with the tests of `operations`, which use more of it"
)]
#[path = "../../../operations/tests/it/chain.rs"]
mod chain;
mod harness;
mod node;

mod authorization;
mod bad_input;
mod governance;
mod hostile;
mod operation;
mod record;
