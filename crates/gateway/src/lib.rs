//! The REST surface of one organization. Applications send it business facts and get receipts; it is the only thing
//! they need to know.
//!
//! ```text
//! request ─serve─▶ admit ─▶ auth ─▶ record::request ─▶ vault seals ─▶ db journal (durable) ─▶ 202
//!                                    strict JSON                         │
//!                                                     operations::shell ─┴▶ chain … final ─▶ 201 with the receipt
//! ```
//!
//! A 2xx means durable. A request may be repeated with the same `Idempotency-Key` at any time: one effect, one result.
//! What the chain says is believed only after its certificate was checked (`client::stream`).
//!
//! - [`config`]: what is configured; [`start`](Gateway): from configuration to a running gateway
//! - `serve`, `admit`, `auth`, `problem`: what every request meets
//! - `record`: the routes of `/v1/records`
//! - `governance`, `member`, `stake`, `pause`, `dispute`: those of what the organizations decide; `decision`: what they share
//! - `backup`: what must not be lost
//! - `health`, `metrics`, `page`: what operators and people look at
//!
//! It must not know SQL, signing, or the inside of the chain; handlers only.

mod admit;
mod answer;
mod app;
mod auth;
mod backup;
mod body;
pub mod config;
mod decision;
mod dispute;
mod error;
mod governance;
mod health;
mod member;
mod metrics;
mod page;
mod pause;
mod problem;
mod query;
mod record;
mod router;
mod serve;
mod stake;
mod start;

pub use backup::{key_files, snapshot};
pub use config::{ApiKey, Config};
pub use error::Error;
pub use router::openapi;
pub use start::{Gateway, run};
