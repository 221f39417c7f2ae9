//! Proofs that a block is final, and the portable receipt of a transaction.

use crate::{
    block,
    dispatch::{Reply, reply},
    error::Error,
    method::Api,
    network::Network,
    parameter::Params,
};
use alloy_eips::{BlockId, eip2718::Encodable2718 as _};
use alloy_primitives::{B256, FixedBytes, U64};
use chain::{Certificate, CertifiedBlock, Finality, Finalized, Node, PAGE_BLOCKS_MAX};
use client::node::{self, CertifiedBlocks, CertifiedHeader, FinalityProof, Finalization};
use serde_json::value::RawValue;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How long a final block may wait for the certificate that covers it. An idle chain makes one within
/// a second.
const CERTIFICATE_WAIT: Duration = Duration::from_secs(2);
/// How often it is looked for between blocks.
const CERTIFICATE_POLL: Duration = Duration::from_millis(20);

/// `ashlar_getFinalization`: null for a block that is not final here, and for genesis while it is
/// alone.
pub(crate) async fn finalization(api: &Api, mut params: Params<'_>) -> Reply {
    let id: BlockId = params.required()?;
    params.end()?;
    let node = &api.node;
    let number = match id {
        BlockId::Number(tag) => block::resolve(node, tag),
        BlockId::Hash(hash) => match node.block_by_hash(hash.block_hash).await {
            Some(block) => block.number(),
            None => return reply(&()),
        },
    };
    let head = node.latest().number();
    // Nobody certifies genesis; its first child's certificate covers it.
    if number > head || head == 0 {
        return reply(&());
    }
    // The headers from it on lead to a certificate.
    block::body(node, number).await?;
    let Finality {
        headers,
        certificate,
    } = covering(node, number).await?;
    reply(&FinalityProof {
        headers,
        finalization: wire(&certificate)?,
    })
}

/// `ashlar_getCertifiedBlocks`: final blocks in a row with their certificates, for followers, which believe nobody.
pub(crate) async fn blocks(api: &Api, mut params: Params<'_>) -> Reply {
    let from: U64 = params.required()?;
    let count: Option<U64> = params.optional()?;
    params.end()?;
    let count = count.map_or(PAGE_BLOCKS_MAX, |count| count.to());
    let permit = api.pages.acquire().await.map_err(|_| Error::Timeout)?;
    let page = api.node.page(from.to(), count).await?;
    drop(permit);
    // Some megabytes of hexadecimal digits.
    block::offload_always(move || {
        reply(&CertifiedBlocks {
            head: page.head.map(|head| CertifiedHeader {
                certificate: head.certificate,
                header: head.header,
            }),
            blocks: page.blocks.into_iter().map(certified).collect(),
        })
    })
    .await
}

fn certified(block: CertifiedBlock) -> node::CertifiedBlock {
    node::CertifiedBlock {
        certificate: block.certificate,
        block: block.block,
    }
}

/// `ashlar_getReceipt`: the portable receipt of a transaction, null until it is final.
pub(crate) async fn receipt(api: &Api, mut params: Params<'_>) -> Reply {
    let hash: B256 = params.required()?;
    params.end()?;
    let node = &api.node;
    let Some((block, index)) = node.transaction(hash).await else {
        return reply(&());
    };
    let Finality {
        headers,
        certificate,
    } = covering(node, block.number()).await?;
    let network = network(&api.network);
    let finalization = wire(&certificate)?.into();
    // The proof hashes every receipt of the block.
    block::offload(block.receipts.len(), move || {
        let inclusion = inclusion(&block, index)?;
        let receipt = proof::Receipt {
            network,
            finalization,
            headers,
            inclusion,
            record: None,
        };
        RawValue::from_string(receipt.to_json()).map_err(|error| Error::Internal(error.to_string()))
    })
    .await
}

pub(crate) const fn network(network: &Network) -> proof::Network {
    proof::Network {
        chain_id: network.chain_id,
        genesis: network.genesis_hash,
        identity: network.identity,
    }
}

fn inclusion(block: &Finalized, index: usize) -> Result<proof::Inclusion, Error> {
    let receipts: Vec<_> = block
        .receipts
        .iter()
        .map(|each| each.encoded_2718())
        .collect();
    let proof = proof::build::inclusion_proof(&receipts, index).ok_or_else(|| {
        Error::Internal(format!("block {} has no receipt {index}", block.number()))
    })?;
    Ok(proof::Inclusion {
        transaction_index: index as u64,
        proof,
    })
}

/// The finality of a final block, once the certificate that covers it is here.
pub(crate) async fn covering(node: &Node, number: u64) -> Result<Finality, Error> {
    let found = async {
        loop {
            if let Some(finality) = node.finality(number).await {
                return finality;
            }
            // A certificate arrives with a block or shortly after it.
            sleep(CERTIFICATE_POLL).await;
        }
    };
    timeout(CERTIFICATE_WAIT, found).await.map_err(|_| {
        Error::Failed(format!(
            "block {number} is final but not certified yet, try again"
        ))
    })
}

/// A certificate as it is sent.
pub(crate) fn wire(certificate: &Certificate) -> Result<Finalization, Error> {
    let signature = FixedBytes::try_from(certificate.signature.as_ref())
        .map_err(|_| Error::Internal("a certificate without a 48-byte signature".to_owned()))?;
    Ok(Finalization {
        epoch: U64::from(certificate.epoch),
        view: U64::from(certificate.view),
        parent_view: U64::from(certificate.parent_view),
        signature,
    })
}
