//! Cases that may fail, each with its reason. `docs/conformance.md` repeats this list.

/// A case whose file's path, name and fork contain these may fail, for this reason.
const EXCLUSIONS: [(&str, &str, &str, &str); 0] = [];

/// Why a case may fail, if it may.
pub(crate) fn reason(path: &str, name: &str, fork: &str) -> Option<&'static str> {
    EXCLUSIONS
        .iter()
        .find(|(in_path, in_name, in_fork, _)| {
            path.contains(in_path) && name.contains(in_name) && fork.contains(in_fork)
        })
        .map(|(.., reason)| *reason)
}
