//! A validator that makes blocks by itself, asked over its port.

mod account;
mod archive;
mod block;
mod call;
mod capability;
mod debug;
mod fee;
mod fill;
mod filter;
mod finality;
mod governance;
mod log;
mod mempool;
mod method;
mod network;
mod node;
mod otterscan;
mod pruned;
mod replay;
mod server;
mod simulate;
mod state_proof;
mod subscription;
mod trace;
mod transaction;
mod wallet;
