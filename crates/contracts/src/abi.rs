//! The Solidity interfaces, word for word what the committed artifacts declare; `tests/it/interface.rs` compares them.

use alloy_sol_types::sol;

sol! {
    /// The register of business facts (`contracts/src/interfaces/IRecords.sol`, where each item is documented).
    #[derive(Debug, PartialEq, Eq)]
    interface IRecords {
        /// At least one record of a call was stored.
        event Recorded(bytes32 indexed organization, bytes32 root, uint256 count, bytes claimed);
        /// A claimed id was sent with another commitment.
        event Conflicted(bytes32 indexed organization, bytes32 indexed id, bytes32 recorded, bytes32 attempted);

        /// The call carries no record.
        error EmptyBatch();
        /// The call carries more records than one call may.
        error BatchTooLarge(uint256 size, uint256 limit);
        /// Each key needs exactly one commitment.
        error LengthMismatch(uint256 keys, uint256 commitments);
        /// Zero means "not claimed", so it cannot be a commitment.
        error ZeroCommitment(uint256 index);

        /// Claims ids of the sender's organization and stores their commitments.
        function record(bytes32[] calldata keys, bytes32[] calldata commitments) external;
        /// The commitment stored under an id, or zero.
        function commitmentOf(bytes32 id) external view returns (bytes32 commitment);
        /// The id of an organization's record.
        function idOf(bytes32 organization, bytes32 key) external pure returns (bytes32 id);
        /// The organization an account acts for.
        function organizationOf(address account) external view returns (bytes32 organization);
    }
}
