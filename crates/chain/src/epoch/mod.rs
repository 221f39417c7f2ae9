//! Epochs: in each, the key is shared anew among the validators that `Members` names, or in a bonded network `Stake`.
//!
//! ```text
//!        epoch e                    e + 1          e + 2            e + 3
//! ├───────────┼───────────┤├───────────────────┤├───────────────┤├──────────────
//!  dealing    │ dealers' logs    announced        get shares       sign
//!             └ `Members` or `Stake` is read here for e + 2, in the block before the middle
//! ```
//!
//! What they say in the state before an epoch's middle counts for the epoch after the next: that is early enough for
//! every honest node to have the block when it makes or checks the epoch's last one, which names them. They get their shares
//! in epoch e + 2 and sign from e + 3 on. The network's identity stays what it was.
//!
//! In reading order: [`Calendar`] (where epochs begin), [`members`] (what `Members` says), [`stake`] (what
//! `Stake` says), [`Electorate`] (who validates in the
//! epochs to come), [`Secrets`] (what a node must not lose and must not keep), [`Schemes`] (who signs how in which epoch),
//! [`Peers`] (whom to speak with).

mod calendar;
mod electorate;
pub mod members;
mod peers;
mod schemes;
mod secrets;
pub mod stake;
mod sweep;
#[cfg(test)]
mod tests;

pub use calendar::Calendar;
pub(crate) use electorate::{Actor as ElectorateActor, Electorate};
pub use peers::{Connected, Dialer, Peers};
pub(crate) use schemes::Schemes;
pub(crate) use secrets::{Secrets, SharedSecrets};
pub use secrets::{SecretsError, SecretsKey, shares};
pub(crate) use sweep::sweep;
