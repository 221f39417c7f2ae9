//! Cases that may fail, each with its reason. `docs/conformance.md` repeats this list.

/// A case whose file's path, name and fork contain these may fail, for this reason.
const EXCLUSIONS: [(&str, &str, &str, &str); 4] = [
    ("TransactionWithHighGasPrice", "", "", FEE),
    ("GasLimitPriceProductOverflowtMinusOne", "", "", FEE),
    ("V_equals38", "", "", FEE),
    (
        "tx_selfdestruct_balance_bug",
        "",
        "Constantinople",
        CONSTANTINOPLE,
    ),
];

/// Petersburg took EIP-1283 back before it came into force on Ethereum.
const CONSTANTINOPLE: &str =
    "Constantinople without Petersburg has the gas rules of EIP-1283, which revm does not have";

/// More wei than there will ever be; such a transaction is refused as malformed instead of as too dear.
const FEE: &str = "its fee per gas does not fit in 128 bits, which no account can pay";

/// Why a case may fail, if it may.
pub(crate) fn reason(path: &str, name: &str, fork: &str) -> Option<&'static str> {
    EXCLUSIONS
        .iter()
        .find(|(in_path, in_name, in_fork, _)| {
            path.contains(in_path) && name.contains(in_name) && fork.contains(in_fork)
        })
        .map(|(.., reason)| *reason)
}
