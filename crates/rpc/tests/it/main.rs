//! A validator that makes blocks by itself, asked over its port.

mod account;
mod archive;
mod block;
mod call;
mod fee;
mod filter;
mod finality;
mod log;
mod network;
mod node;
mod server;
mod state_proof;
mod subscription;
mod transaction;
