//! Calls of the gateway's REST interface.

mod decision;

use std::time::Duration;

use alloy_primitives::{B256, Bytes};
use proof::Receipt;
use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    problem::Problem,
    record::{Record, RecordAccepted, RecordErased, RecordPage, RecordRequest, RecordStatus},
    rpc::address,
};

/// Largest answer that is read: sixteen attachments would be fetched one by one.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// The address is not one.
    #[error("{url:?} is not the address of a gateway: {reason}")]
    Address {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No answer. A request with the same idempotency key may be sent again at any time.
    #[error("the gateway did not answer")]
    Unreachable(#[source] reqwest::Error),
    /// The gateway refused.
    #[error("{} ({}): {}", .0.title, .0.code, .0.detail)]
    Refused(Box<Problem>),
    /// Not an answer of this interface.
    #[error("the gateway answered {status}, which is no answer of this interface: {reason}")]
    Malformed {
        /// The HTTP status.
        status: u16,
        /// What is wrong with it.
        reason: String,
    },
    /// The record failed for good.
    #[error("the record failed ({code}): {detail}")]
    Failed {
        /// Why, for programs.
        code: String,
        /// Why.
        detail: String,
    },
    /// Not final in time. It still becomes so.
    #[error("the record is not final yet")]
    NotYet,
}

impl GatewayError {
    /// The code of the problem document, if there was one.
    pub fn code(&self) -> Option<&str> {
        if let Self::Refused(problem) = self {
            Some(&problem.code)
        } else {
            None
        }
    }
}

/// A gateway, and the key of one of its tenants.
#[derive(Debug, Clone)]
pub struct Gateway {
    http: reqwest::Client,
    url: reqwest::Url,
    api_key: String,
}

impl Gateway {
    /// `url`: such as `http://127.0.0.1:8080`.
    pub fn new(url: &str, api_key: &str) -> Result<Self, GatewayError> {
        let url = address(url).map_err(|error| GatewayError::Address {
            url: url.to_owned(),
            reason: error.to_string(),
        })?;
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(60))
            .build()
            .map_err(GatewayError::Unreachable)?;
        Ok(Self {
            http,
            url,
            api_key: api_key.to_owned(),
        })
    }

    /// `POST /v1/records`: durably accepted when this returns.
    pub async fn record(
        &self,
        idempotency_key: &str,
        request: &RecordRequest,
    ) -> Result<RecordAccepted, GatewayError> {
        let call = self
            .call(Method::POST, "v1/records")
            .header("idempotency-key", idempotency_key)
            .json(request);
        json(send(call).await?).await
    }

    /// `POST /v1/records?wait=final`: the receipt, as the bytes of its JSON twin. [`GatewayError::NotYet`] if it is
    /// not final within the gateway's patience.
    pub async fn record_final(
        &self,
        idempotency_key: &str,
        request: &RecordRequest,
    ) -> Result<Bytes, GatewayError> {
        let call = self
            .call(Method::POST, "v1/records?wait=final")
            .header("idempotency-key", idempotency_key)
            .json(request);
        let response = send(call).await?;
        if response.status() != StatusCode::CREATED {
            return Err(GatewayError::NotYet);
        }
        read(response).await.map(Bytes::from)
    }

    /// `GET /v1/records/{id}`.
    pub async fn read(&self, id: &B256) -> Result<Record, GatewayError> {
        self.get(&format!("v1/records/{id}")).await
    }

    /// `GET /v1/records`: a page, the newest first.
    pub async fn list(&self, cursor: Option<&str>) -> Result<RecordPage, GatewayError> {
        let query = cursor.map(|cursor| {
            let pairs = reqwest::Url::parse_with_params("http://query", [("cursor", cursor)]).ok();
            pairs
                .and_then(|url| url.query().map(|query| format!("?{query}")))
                .unwrap_or_default()
        });
        let call = self.call(
            Method::GET,
            &format!("v1/records{}", query.unwrap_or_default()),
        );
        json(send(call).await?).await
    }

    /// Reads the record until it is final, at most for `patience`.
    pub async fn wait_final(&self, id: &B256, patience: Duration) -> Result<Record, GatewayError> {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let record = self.read(id).await?;
            match (record.status, &record.failure) {
                (RecordStatus::Final, _) => return Ok(record),
                (RecordStatus::Failed, failure) => {
                    let (code, detail) = failure
                        .clone()
                        .map(|failure| (failure.code, failure.detail))
                        .unwrap_or_default();
                    return Err(GatewayError::Failed { code, detail });
                }
                _ if tokio::time::Instant::now() >= deadline => return Err(GatewayError::NotYet),
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// `GET /v1/records/{id}/receipt`: the bytes of the JSON twin, as they are to be kept.
    pub async fn receipt_json(&self, id: &B256) -> Result<Bytes, GatewayError> {
        read(send(self.call(Method::GET, &format!("v1/records/{id}/receipt"))).await?)
            .await
            .map(Bytes::from)
    }

    /// `GET /v1/records/{id}/receipt`, decoded from CBOR.
    pub async fn receipt(&self, id: &B256) -> Result<Receipt, GatewayError> {
        let call = self
            .call(Method::GET, &format!("v1/records/{id}/receipt"))
            .header(header::ACCEPT, "application/cbor");
        let response = send(call).await?;
        let status = response.status().as_u16();
        Receipt::from_cbor(&read(response).await?).map_err(|error| GatewayError::Malformed {
            status,
            reason: error.to_string(),
        })
    }

    /// `GET /v1/records/{id}/attachments/{index}`.
    pub async fn attachment(&self, id: &B256, index: u32) -> Result<Bytes, GatewayError> {
        read(send(self.call(Method::GET, &format!("v1/records/{id}/attachments/{index}"))).await?)
            .await
            .map(Bytes::from)
    }

    /// `DELETE /v1/records/{id}/content`.
    pub async fn erase(&self, id: &B256) -> Result<RecordErased, GatewayError> {
        json(send(self.call(Method::DELETE, &format!("v1/records/{id}/content"))).await?).await
    }

    /// Whether the gateway can do its work: its own answer if it cannot.
    pub async fn ready(&self) -> Result<(), GatewayError> {
        send(self.call(Method::GET, "readyz")).await.map(drop)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, GatewayError> {
        json(send(self.call(Method::GET, path)).await?).await
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        request: &impl Serialize,
    ) -> Result<T, GatewayError> {
        json(send(self.call(Method::POST, path).json(request)).await?).await
    }

    fn call(&self, method: Method, path: &str) -> RequestBuilder {
        let url = self.url.join(path).unwrap_or_else(|_| self.url.clone());
        self.http.request(method, url).bearer_auth(&self.api_key)
    }
}

async fn send(call: RequestBuilder) -> Result<Response, GatewayError> {
    let response = call.send().await.map_err(GatewayError::Unreachable)?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = read(response).await?;
    let problem = serde_json::from_slice(&body).map_err(|error| GatewayError::Malformed {
        status: status.as_u16(),
        reason: error.to_string(),
    })?;
    Err(GatewayError::Refused(problem))
}

async fn json<T: DeserializeOwned>(response: Response) -> Result<T, GatewayError> {
    let status = response.status().as_u16();
    let body = read(response).await?;
    serde_json::from_slice(&body).map_err(|error| GatewayError::Malformed {
        status,
        reason: error.to_string(),
    })
}

async fn read(mut response: Response) -> Result<Vec<u8>, GatewayError> {
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(GatewayError::Unreachable)? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            let reason = format!("more than {ANSWER_BYTES_MAX} bytes");
            return Err(GatewayError::Malformed { status, reason });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
