//! What cannot agree, and why. Whatever is here and agrees all the same fails the test.

/// A difference that has a reason.
#[derive(Clone, Copy, Debug)]
pub struct Exclusion {
    /// The file.
    pub file: &'static str,
    /// Where in the response; all below it is excluded, too.
    pub at: &'static str,
    /// Why it has to differ.
    pub reason: &'static str,
}

impl Exclusion {
    /// Whether this is the reason of a difference, which begins with its place.
    pub fn covers(&self, difference: &str) -> bool {
        let below = difference.strip_prefix(self.at);
        below.is_some_and(|rest| rest.starts_with(['/', ':', ' ']))
    }

    /// Whether nothing of the file is compared.
    pub const fn is_whole(&self) -> bool {
        self.at.is_empty()
    }
}

const fn whole(file: &'static str, reason: &'static str) -> Exclusion {
    Exclusion {
        file,
        at: "",
        reason,
    }
}

const UNCLES: &str = "block 3 has an uncle; blocks of this chain have none, and no place for them";
const BLOBS: &str =
    "there are no blobs on this chain: transactions and calls with them are refused";
const CONFIG: &str = "one fork from the first block on, no blobs, no beacon chain";
const KEPT: &str = "all logs are kept, so there is no strategy to delete them";
const PROOF: &str = "the state tree is not Ethereum's; ashlar_getProof proves values in ours";
const HARNESS: &str = "blocks are made by consensus; nobody may ask for one";
const NONCE: &str = "no nonce gets past 2^64 - 2 (EIP-2681); geth lets it start again at zero";
const COUNT: &str =
    "geth counts logs of transfers that were undone; ours are numbered without a gap";

const fn part(file: &'static str, at: &'static str, reason: &'static str) -> Exclusion {
    Exclusion { file, at, reason }
}

const TEXT: &str = "the code is the same; the text is that of the library that reads parameters";

/// Everything that is excluded.
pub const EXCLUDED: [Exclusion; 17] = [
    whole("debug_getRawBlock/get-block-n", UNCLES),
    part(
        "debug_getRawTransaction/get-invalid-hash",
        "/error/message",
        TEXT,
    ),
    part(
        "eth_capabilities/get-capabilities",
        "/result/logs/deleteStrategy",
        KEPT,
    ),
    part(
        "eth_config/get-config",
        "/result/current/activationTime",
        CONFIG,
    ),
    part(
        "eth_config/get-config",
        "/result/current/blobSchedule",
        CONFIG,
    ),
    part("eth_config/get-config", "/result/current/forkId", CONFIG),
    part(
        "eth_config/get-config",
        "/result/current/systemContracts",
        CONFIG,
    ),
    whole("eth_estimateGas/estimate-with-eip4844", BLOBS),
    part(
        "eth_getLogs/filter-error-invalid-blockHash-and-range",
        "/error/message",
        TEXT,
    ),
    whole("eth_getProof/get-account-proof-blockhash", PROOF),
    whole("eth_getProof/get-account-proof-latest", PROOF),
    whole("eth_simulateV1/ethSimulate-blobs", BLOBS),
    whole("eth_simulateV1/ethSimulate-overflow-nonce", NONCE),
    part(
        "eth_simulateV1/ethSimulate-use-as-many-features-as-possible",
        "/result/9/calls/6/logs/0/logIndex",
        COUNT,
    ),
    part(
        "eth_simulateV1/ethSimulate-use-as-many-features-as-possible",
        "/result/10/calls/6/logs/0/logIndex",
        COUNT,
    ),
    whole(
        "testing_buildBlockV1/build-block-empty-transactions",
        HARNESS,
    ),
    whole(
        "testing_buildBlockV1/build-block-invalid-transaction",
        HARNESS,
    ),
];
