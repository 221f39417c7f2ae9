//! A validator that makes blocks by itself, asked over its port.

mod account;
mod archive;
mod block;
mod call;
mod capability;
mod fee;
mod fill;
mod filter;
mod finality;
mod log;
mod method;
mod network;
mod node;
mod server;
mod simulate;
mod state_proof;
mod subscription;
mod transaction;
