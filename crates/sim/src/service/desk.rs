//! The gateway's counter: takes requests in, several in one commit, and answers from the journal.

use super::{disk::Disk, gateway::Station, wire::Wire};
use crate::witness::{Told, Witness};
use alloy_primitives::{B256, Bytes, keccak256};
use commonware_runtime::{Clock as _, deterministic::Context};
use commonware_utils::channel::{mpsc, oneshot};
use contracts::record_id;
use db::{Db, Entry, Inserted, NewRecord, State};
use operations::receipt;
use proof::{Content, canonical::Value, content};
use rand::RngExt as _;
use std::{sync::Arc, time::Duration};
use vault::RecordKey;

/// Requests in one commit at most.
const GROUP_MAX: usize = 256;
/// The type of all simulated records.
pub const KIND: &str = "simulation";

/// What a client asks of a gateway.
pub enum Request {
    /// `POST /v1/records`.
    Post {
        tenant: &'static str,
        key: String,
        /// JSON, not canonical.
        data: String,
        reply: oneshot::Sender<Told>,
    },
    /// `GET /v1/records/{id}/receipt`: the JSON twin, once the record is final.
    Receipt {
        id: B256,
        reply: oneshot::Sender<Option<Vec<u8>>>,
    },
}

/// One process's counter.
pub struct Desk {
    pub context: Context,
    pub station: Arc<Station>,
    pub disk: Arc<Disk>,
    pub life: u64,
    pub wire: Wire,
    pub witness: Witness,
    /// To the machine.
    pub accepted: mpsc::UnboundedSender<Entry>,
}

impl Desk {
    /// Serves until the process is killed.
    pub async fn run(mut self, mut inbox: mpsc::Receiver<Request>) {
        let mut group = Vec::new();
        while inbox.recv_many(&mut group, GROUP_MAX).await > 0 {
            if self.serve(&mut group).await.is_none() {
                return;
            }
        }
    }

    /// None: the process was killed.
    async fn serve(&mut self, group: &mut Vec<Request>) -> Option<()> {
        self.pause().await?;
        let services = self.station.services;
        if self.wire.strikes(services.failed_writes) {
            self.witness.fault("journal_full");
            // 507: nothing was promised.
            group.clear();
            return Some(());
        }
        let (mut told, mut entries) = (Vec::new(), Vec::new());
        let (posts, reads): (Vec<_>, Vec<_>) = group
            .drain(..)
            .partition(|request| matches!(request, Request::Post { .. }));
        let records: Option<Vec<NewRecord>> = posts.iter().map(|post| self.record(post)).collect();
        let Some(records) = records else {
            self.witness
                .violation("a good request was not understood".to_owned());
            return Some(());
        };
        let inserted = self.disk.with(self.life, |db| {
            db.write(|tx| {
                records
                    .iter()
                    .map(|record| tx.insert_record(record))
                    .collect()
            })
        })?;
        let inserted: Vec<Inserted> = match inserted {
            Ok(inserted) => inserted,
            Err(error) => {
                self.witness
                    .violation(format!("the journal refused a promise: {error}"));
                return Some(());
            }
        };
        for inserted in inserted {
            told.push(match inserted {
                Inserted::New(entry) => {
                    entries.push(entry);
                    Told::Accepted {
                        id: entry.id,
                        commitment: entry.commitment,
                    }
                }
                Inserted::Existing(row) => {
                    self.witness.mark("replayed");
                    Told::Accepted {
                        id: row.id,
                        commitment: row.commitment,
                    }
                }
                Inserted::Mismatch(_) => {
                    self.witness.mark("mismatch");
                    Told::Mismatch
                }
            });
        }
        self.pause().await?;
        for entry in entries {
            let _ = self.accepted.send(entry);
        }
        self.pause().await?;
        for (post, told) in posts.into_iter().zip(told) {
            if let Request::Post { reply, .. } = post {
                let _ = reply.send(told);
            }
        }
        for read in reads {
            if let Request::Receipt { id, reply } = read {
                let receipt = self.disk.with(self.life, |db| self.receipt(db, &id))?;
                let _ = reply.send(receipt);
            }
        }
        Some(())
    }

    /// A moment in which the process may die.
    async fn pause(&mut self) -> Option<()> {
        let moment = Duration::from_millis(self.context.random_range(0..3));
        self.context.sleep(moment).await;
        if self.wire.strikes(self.station.services.crashes / 4) {
            self.witness.fault("gateway_crash_at_reply");
            self.disk.kill();
        }
        self.disk.with(self.life, |_| ())
    }

    /// The record of a post, with a salt and a content key of its own.
    fn record(&mut self, post: &Request) -> Option<NewRecord> {
        let Request::Post {
            tenant, key, data, ..
        } = post
        else {
            return None;
        };
        let body = proof::body(KIND, &Value::parse(data.as_bytes()).ok()?, &[]);
        let on_chain = keccak256([tenant.as_bytes(), &[0x1f], key.as_bytes()].concat());
        let id = record_id(self.station.relayer.organization(), on_chain);
        let mut salt = B256::ZERO;
        rand::Rng::fill_bytes(&mut self.context, salt.as_mut_slice());
        let commitment = proof::commitment(&salt, &content::content_digest(body.as_bytes()), &[]);
        let content_key = RecordKey::random(&mut self.context);
        let document = [salt.as_slice(), body.as_bytes()].concat();
        let part = content_key
            .seal(&id.0, 0, &document, &mut self.context)
            .ok()?;
        let wrapped_key = self
            .station
            .master
            .wrap(&id.0, &content_key, &mut self.context)
            .ok()?;
        let digest = self
            .station
            .master
            .digest(b"ashlar/sim/request", body.as_bytes());
        Some(NewRecord {
            id,
            key: on_chain,
            commitment,
            tenant: (*tenant).to_owned(),
            idempotency_key: key.clone(),
            digest: digest.into(),
            created_ms: super::now_ms(&self.context),
            wrapped_key,
            parts: vec![part],
        })
    }

    /// A final record's receipt, put together from the journal and the vault.
    fn receipt(&self, db: &mut Db, id: &B256) -> Option<Vec<u8>> {
        let (row, proven, sealed) = db
            .read(|view| {
                let Some(row) = view.record_by_id(id)? else {
                    return Ok(None);
                };
                let proven = view.proven(row.seq)?;
                let sealed = view.sealed(row.seq, 0)?;
                Ok(Some((row, proven, sealed)))
            })
            .ok()
            .flatten()?;
        if row.state != State::Final {
            return None;
        }
        let composed = proven.zip(sealed).and_then(|(proven, sealed)| {
            let key = self
                .station
                .master
                .unwrap(&id.0, &sealed.wrapped_key)
                .ok()?;
            let document = key.open(&id.0, 0, &sealed.sealed).ok()?;
            let (salt, body) = document.split_at_checked(32)?;
            let content = Content {
                salt: B256::from_slice(salt),
                body: Bytes::copy_from_slice(body),
                attachments: Vec::new(),
            };
            receipt::compose(proven, *id, row.commitment, Some(content)).ok()
        });
        if composed.is_none() {
            self.witness
                .violation(format!("the final record {id} has no receipt"));
        }
        composed.map(|receipt| receipt.to_json().into_bytes())
    }
}
