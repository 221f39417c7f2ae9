//! The binary as its users meet it: exit codes, and what it says when something is wrong.

mod backup;
mod consortium;
mod dispute;
mod doctor;
mod export;
mod follower;
mod governance;
mod keys;
mod network;
mod pause;
mod peers;
mod stake;
mod start;
mod upgrade;
mod verify;
