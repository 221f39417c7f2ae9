//! The machine on a real SQLite journal against a model chain, under everything that can go wrong around it.

mod chain;
mod crash;
mod gateway;
mod operation;
