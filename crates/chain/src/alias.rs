//! The engine's generics, pinned once.

use commonware_consensus::{
    marshal::{self, standard::Standard},
    simplex::{self, scheme::bls12381_threshold::standard},
};
use commonware_cryptography::{
    bls12381::primitives::{group, variant::MinSig},
    ed25519,
};
use commonware_glue::dkg::reshare;
use types::{Block, Digest, PublicKey};

/// How validators sign: one 48-byte threshold BLS signature for any number of them.
pub type Scheme = standard::Scheme<PublicKey, MinSig>;
/// The certificate that a block is final.
pub type Finalization = simplex::types::Finalization<Scheme, Digest>;
/// A validator's part of the network key. Secret.
pub type Share = group::Share;
/// What the key ceremony wants in the next block.
pub type CeremonyInput = reshare::Input<(), MinSig, ed25519::PrivateKey>;
/// How finalized blocks reach us: whole.
pub type Delivery = Standard<Block>;
/// Where finalized blocks and certificates are asked for.
pub type Marshal = marshal::core::Mailbox<Scheme, Delivery>;

/// What a runtime must offer the node: no more than the engine asks, so the deterministic one does.
pub trait Runtime:
    commonware_runtime::Clock
    + commonware_runtime::Metrics
    + commonware_runtime::Network
    + commonware_runtime::Spawner
    + commonware_runtime::Storage
    + rand_core::CryptoRng
    + 'static
{
}

impl<E> Runtime for E where
    E: commonware_runtime::Clock
        + commonware_runtime::Metrics
        + commonware_runtime::Network
        + commonware_runtime::Spawner
        + commonware_runtime::Storage
        + rand_core::CryptoRng
        + 'static
{
}
