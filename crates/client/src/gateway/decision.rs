//! Deciding over the gateway: what it reads of governance, and the transactions that it prepares for a wallet.

use super::{Gateway, GatewayError};
use crate::{
    dispute::{
        AnswerRequest, ClaimRequest, CompensationRequest, Dispute, DisputePage, EvidenceRequest,
    },
    governance::{
        Final, Proposal, ProposalPage, ProposalRequest, SignedRequest, StepRequest, Unsigned,
        VoteRequest,
    },
    members::{AccountRequest, Members, NodeRequest},
    pause::{Motion, MotionPage, MotionRequest},
    stake::{BondRequest, Stake, UnbondRequest, WithdrawRequest},
};
use alloy_primitives::Bytes;

impl Gateway {
    /// `GET /v1/governance/proposals`: a page, the newest first.
    pub async fn proposals(&self, before: Option<u64>) -> Result<ProposalPage, GatewayError> {
        self.get(&format!("v1/governance/proposals{}", older(before)))
            .await
    }

    /// `GET /v1/governance/proposals/{number}`.
    pub async fn proposal(&self, number: u64) -> Result<Proposal, GatewayError> {
        self.get(&format!("v1/governance/proposals/{number}")).await
    }

    /// `POST /v1/governance/proposals`: the transaction that makes a proposal, to be signed.
    pub async fn prepare_proposal(
        &self,
        request: &ProposalRequest,
    ) -> Result<Unsigned, GatewayError> {
        self.post("v1/governance/proposals", request).await
    }

    /// `POST /v1/governance/proposals/{number}/votes`: the transaction that votes, to be signed.
    pub async fn prepare_vote(
        &self,
        number: u64,
        request: &VoteRequest,
    ) -> Result<Unsigned, GatewayError> {
        self.post(&format!("v1/governance/proposals/{number}/votes"), request)
            .await
    }

    /// `POST /v1/governance/proposals/{number}/cancel`: the transaction that withdraws a proposal, to be signed.
    pub async fn prepare_cancel(
        &self,
        number: u64,
        request: &StepRequest,
    ) -> Result<Unsigned, GatewayError> {
        self.post(&format!("v1/governance/proposals/{number}/cancel"), request)
            .await
    }

    /// `POST /v1/governance/proposals/{number}/execute`: the transaction that does what was decided, to be signed.
    pub async fn prepare_execution(
        &self,
        number: u64,
        request: &StepRequest,
    ) -> Result<Unsigned, GatewayError> {
        self.post(
            &format!("v1/governance/proposals/{number}/execute"),
            request,
        )
        .await
    }

    /// `POST /v1/governance/transactions`: sends what was signed, and returns when it is final.
    pub async fn decide(&self, raw: Bytes) -> Result<Final, GatewayError> {
        let request = SignedRequest { raw };
        self.post("v1/governance/transactions", &request).await
    }

    /// `GET /v1/members`.
    pub async fn members(&self) -> Result<Members, GatewayError> {
        self.get("v1/members").await
    }

    /// `POST /v1/members/nodes`: the transaction that says what a node does, to be signed.
    pub async fn prepare_node(&self, request: &NodeRequest) -> Result<Unsigned, GatewayError> {
        self.post("v1/members/nodes", request).await
    }

    /// `POST /v1/members/accounts`: the transaction that says what an account may do, to be signed.
    pub async fn prepare_account(
        &self,
        request: &AccountRequest,
    ) -> Result<Unsigned, GatewayError> {
        self.post("v1/members/accounts", request).await
    }

    /// `GET /v1/stake`.
    pub async fn stake(&self) -> Result<Stake, GatewayError> {
        self.get("v1/stake").await
    }

    /// `POST /v1/stake/bonds`: the transaction that adds to a bond, to be signed.
    pub async fn prepare_bond(&self, request: &BondRequest) -> Result<Unsigned, GatewayError> {
        self.post("v1/stake/bonds", request).await
    }

    /// `POST /v1/stake/unbondings`: the transaction that takes from a bond, to be signed.
    pub async fn prepare_unbonding(
        &self,
        request: &UnbondRequest,
    ) -> Result<Unsigned, GatewayError> {
        self.post("v1/stake/unbondings", request).await
    }

    /// `POST /v1/stake/withdrawals`: the transaction that pays what was unbonded, to be signed.
    pub async fn prepare_withdrawal(
        &self,
        request: &WithdrawRequest,
    ) -> Result<Unsigned, GatewayError> {
        self.post("v1/stake/withdrawals", request).await
    }

    /// `GET /v1/pauses/motions`: a page, the newest first.
    pub async fn motions(&self, before: Option<u64>) -> Result<MotionPage, GatewayError> {
        self.get(&format!("v1/pauses/motions{}", older(before)))
            .await
    }

    /// `GET /v1/pauses/motions/{number}`.
    pub async fn motion(&self, number: u64) -> Result<Motion, GatewayError> {
        self.get(&format!("v1/pauses/motions/{number}")).await
    }

    /// `POST /v1/pauses/motions`: the transaction that makes a motion, to be signed.
    pub async fn prepare_motion(&self, request: &MotionRequest) -> Result<Unsigned, GatewayError> {
        self.post("v1/pauses/motions", request).await
    }

    /// `POST /v1/pauses/motions/{number}/approvals`: the transaction that approves of a motion, to be signed.
    pub async fn prepare_approval(
        &self,
        number: u64,
        request: &StepRequest,
    ) -> Result<Unsigned, GatewayError> {
        self.post(&format!("v1/pauses/motions/{number}/approvals"), request)
            .await
    }

    /// `GET /v1/disputes`: a page, the newest first.
    pub async fn disputes(&self, before: Option<u64>) -> Result<DisputePage, GatewayError> {
        self.get(&format!("v1/disputes{}", older(before))).await
    }

    /// `GET /v1/disputes/{number}`.
    pub async fn dispute(&self, number: u64) -> Result<Dispute, GatewayError> {
        self.get(&format!("v1/disputes/{number}")).await
    }

    /// `POST /v1/disputes`: the transaction that makes a claim, to be signed.
    pub async fn prepare_claim(&self, request: &ClaimRequest) -> Result<Unsigned, GatewayError> {
        self.post("v1/disputes", request).await
    }

    /// `POST /v1/disputes/{number}/evidence`: the transaction that adds evidence, to be signed.
    pub async fn prepare_evidence(
        &self,
        number: u64,
        request: &EvidenceRequest,
    ) -> Result<Unsigned, GatewayError> {
        self.post(&format!("v1/disputes/{number}/evidence"), request)
            .await
    }

    /// `POST /v1/disputes/{number}/answer`: the transaction that answers, to be signed.
    pub async fn prepare_answer(
        &self,
        number: u64,
        request: &AnswerRequest,
    ) -> Result<Unsigned, GatewayError> {
        self.post(&format!("v1/disputes/{number}/answer"), request)
            .await
    }

    /// `POST /v1/disputes/{number}/votes`: the transaction that votes on a claim, to be signed.
    pub async fn prepare_ruling(
        &self,
        number: u64,
        request: &VoteRequest,
    ) -> Result<Unsigned, GatewayError> {
        self.post(&format!("v1/disputes/{number}/votes"), request)
            .await
    }

    /// `POST /v1/disputes/{number}/withdraw`: the transaction that withdraws a claim, to be signed.
    pub async fn prepare_claim_withdrawal(
        &self,
        number: u64,
        request: &StepRequest,
    ) -> Result<Unsigned, GatewayError> {
        self.post(&format!("v1/disputes/{number}/withdraw"), request)
            .await
    }

    /// `POST /v1/disputes/{number}/compensation`: the transaction that names the one that makes good, to be signed.
    pub async fn prepare_compensation(
        &self,
        number: u64,
        request: &CompensationRequest,
    ) -> Result<Unsigned, GatewayError> {
        self.post(&format!("v1/disputes/{number}/compensation"), request)
            .await
    }
}

/// The query of a page with smaller numbers.
fn older(before: Option<u64>) -> String {
    before.map_or(String::new(), |before| format!("?before={before}"))
}
