//! The Rust view against the committed artifact: its declarations, its bytes, and the bytes at work.

mod chain;
mod execution;
mod governance;
mod history;
mod interface;
mod member;
mod operation;
mod parameter;
mod stake;
mod succession;
mod upgrade;
mod vectors;
