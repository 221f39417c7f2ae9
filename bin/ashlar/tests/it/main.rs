//! The binary as its users meet it: exit codes, and what it says when something is wrong.

mod consortium;
mod governance;
mod network;
mod start;
mod upgrade;
mod verify;
