//! What the routes of all decisions have in common. A decision takes two steps: the gateway makes the transaction, tries it out
//! and gives it to whoever asked; an administrator signs it with a wallet; the gateway sends what was signed. It holds no
//! administrator's key.

use std::sync::Arc;

use alloy_consensus::{Transaction as _, TxEnvelope};
use alloy_eips::eip2718::Decodable2718 as _;
use alloy_primitives::{Address, U256};
use alloy_sol_types::SolCall;
use axum::{
    body::Body,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, StatusCode},
    response::Response,
};
use client::{
    governance::{Decided, Final, Governance, GovernanceError, SignedRequest, Unsigned},
    problem::Problem,
    rpc::RpcError,
};
use contracts::SystemContract;
use serde::{Deserialize, de::DeserializeOwned};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer,
    app::App,
    auth::Tenant,
    body,
    problem::{Code, Refusal},
    query,
};

/// One thing of a numbered list takes a node a score of questions.
const LIMIT_DEFAULT: u16 = 10;
const LIMIT_MAX: u16 = 20;

pub(crate) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(send))
}

/// Send a signed decision
///
/// Sends a transaction that calls a system contract, and answers when it is final. Sending the same again is harmless: its
/// nonce is used up.
#[utoipa::path(
    post,
    path = "/v1/governance/transactions",
    tag = "governance",
    request_body = SignedRequest,
    responses(
        (status = 200, description = "It is final", body = Final),
        (status = 400, description = "Not a transaction to a system contract", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid API key", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The node or the contract refuses, and why", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "No node answers", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
async fn send(
    State(app): State<Arc<App>>,
    _: Tenant,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let SignedRequest { raw } = read(&app, &headers, body).await?;
    let invalid = |detail: &str| Refusal::new(Code::FieldInvalid, detail);
    let transaction = TxEnvelope::decode_2718_exact(&raw)
        .map_err(|_| invalid("`raw` is not a signed transaction."))?;
    let called = transaction.to();
    if !SystemContract::ALL
        .iter()
        .any(|contract| called == Some(contract.address()))
    {
        return Err(invalid("`raw` calls no system contract."));
    }
    let decided = Governance(&app.nodes).submit(&raw).await;
    match decided.map_err(decision_refused)? {
        Decided::Done(done) => Ok(answer::json(StatusCode::OK, app.height(), &done)),
        Decided::Overtaken(hash) => Err(Refusal::new(
            Code::GovernanceRefused,
            format!(
                "The transaction {hash} is final and failed in its block: somebody was faster."
            ),
        )),
    }
}

/// Which part of a numbered list is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    limit: Option<u16>,
    before: Option<u64>,
}

/// The page of a numbered list: which numbers it has.
pub(crate) struct Part {
    limit: u16,
    before: Option<u64>,
}

impl Part {
    pub(crate) fn asked(query: Result<Query<ListQuery>, QueryRejection>) -> Result<Self, Refusal> {
        let ListQuery { limit, before } = query::parameters(query)?;
        let limit = query::limit(limit, LIMIT_DEFAULT, LIMIT_MAX)?;
        Ok(Self { limit, before })
    }

    /// The numbers, the newest first, of a list whose last number is known; and `before` of the next page.
    pub(crate) fn numbers(&self, last: u64) -> (Vec<u64>, Option<u64>) {
        let last = self
            .before
            .map_or(last, |before| last.min(before.saturating_sub(1)));
        let numbers: Vec<u64> = (1..=last).rev().take(self.limit.into()).collect();
        let next_before = numbers.last().copied().filter(|number| *number > 1);
        (numbers, next_before)
    }
}

/// The number in a path.
pub(crate) fn numbered(number: Result<Path<u64>, PathRejection>) -> Result<u64, Refusal> {
    let Path(number) =
        number.map_err(|error| Refusal::new(Code::ParameterInvalid, error.body_text()))?;
    Ok(number)
}

/// The body of a request.
pub(crate) async fn read<T: DeserializeOwned>(
    app: &App,
    headers: &HeaderMap,
    body: Body,
) -> Result<T, Refusal> {
    let received = body::receive(app, headers, body).await?;
    serde_json::from_slice(&received.bytes).map_err(|error| {
        let code = if error.is_data() {
            Code::FieldInvalid
        } else {
            Code::JsonMalformed
        };
        Refusal::new(code, format!("The body: {error}."))
    })
}

/// Answers with the transaction that calls a contract, or with its refusal.
pub(crate) async fn prepare<C: SolCall>(
    app: &App,
    from: Address,
    contract: SystemContract,
    call: &C,
) -> Result<Response, Refusal> {
    prepare_paying(app, from, contract, U256::ZERO, call).await
}

/// As [`prepare`], with so many wei of the account.
pub(crate) async fn prepare_paying<C: SolCall>(
    app: &App,
    from: Address,
    contract: SystemContract,
    value: U256,
    call: &C,
) -> Result<Response, Refusal> {
    let governance = Governance(&app.nodes);
    let prepared = governance.prepare_paying(from, contract, value, call).await;
    prepared_answer(app, prepared)
}

/// Answers with a transaction to be signed, or with the contract's refusal.
pub(crate) fn prepared_answer(
    app: &App,
    prepared: Result<Unsigned, GovernanceError>,
) -> Result<Response, Refusal> {
    let prepared = prepared.map_err(decision_refused)?;
    Ok(answer::json(StatusCode::OK, app.height(), &prepared))
}

/// A node that does not take a transaction answers, unlike one that does not know what is asked of it.
fn decision_refused(error: GovernanceError) -> Refusal {
    match error {
        GovernanceError::Rpc(RpcError::Refused { .. }) => {
            Refusal::new(Code::TransactionRefused, format!("{error}."))
        }
        other => refusal(other),
    }
}

/// Why something about governance is not answered.
pub(crate) fn refusal(error: GovernanceError) -> Refusal {
    let code = match error {
        GovernanceError::NoProposal(_) => Code::ProposalNotFound,
        GovernanceError::NoMotion(_) => Code::MotionNotFound,
        GovernanceError::NoDispute(_) => Code::DisputeNotFound,
        GovernanceError::Refused(_) => Code::GovernanceRefused,
        GovernanceError::Rpc(_) | GovernanceError::NotGoverned(_) => Code::NodeUnavailable,
    };
    Refusal::new(code, format!("{error}."))
}
