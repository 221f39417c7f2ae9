// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// @title Records
/// @notice The register of business facts: which organization committed to what, under which id, once.
///
/// A record is an id and a 32-byte commitment. The id belongs to the organization of the sender; the first commitment
/// stored under an id stays for ever. Sending the same pair again changes nothing, so a caller that does not know
/// whether an earlier attempt succeeded may always repeat it. Another commitment under a claimed id is refused and
/// leaves a `Conflicted` event as the proof.
///
/// Many records go in one call. The contract builds a Merkle tree over the records it newly stored and emits one
/// `Recorded` event with the root; a receipt proves a record by a path to that root.
///
/// System contract at `0x4153484c41520000000000000000000000000001`, present at genesis.
///
/// Definitions (`‖` joins 32-byte words):
///
/// - `id   = keccak256(organization ‖ key)`
/// - `leaf = keccak256(keccak256("ashlar/record-leaf/1") ‖ id ‖ commitment)`
/// - `node = keccak256(keccak256("ashlar/record-node/1") ‖ left ‖ right)`
/// - tree: the leaves are the newly stored records in the order of the call. Each level pairs its nodes from the left;
///   an odd last node moves up unchanged. The root of one leaf is that leaf.
interface IRecords {
    // ---------------------------------------------------------------------------------------------------------------
    // Events
    // ---------------------------------------------------------------------------------------------------------------

    /// @notice At least one record of a call was stored. At most one such event per call, after its `Conflicted` events.
    /// @param organization The organization that owns the ids.
    /// @param root The Merkle root over the newly stored records.
    /// @param count How many records were newly stored, which is the number of leaves; 1 to 512.
    /// @param claimed Which entries of the call were newly stored. Empty when all were; otherwise a bitmap of
    /// `ceil(entries / 8)` bytes in which entry `i` is bit `i % 8`, least significant first, of byte `i / 8`.
    event Recorded(bytes32 indexed organization, bytes32 root, uint256 count, bytes claimed);

    /// @notice An id that is already claimed was sent with another commitment; nothing was stored for that entry.
    /// @param organization The organization that owns the id and sent the call.
    /// @param id The claimed id.
    /// @param recorded The commitment that stands.
    /// @param attempted The commitment that was refused.
    event Conflicted(bytes32 indexed organization, bytes32 indexed id, bytes32 recorded, bytes32 attempted);

    // ---------------------------------------------------------------------------------------------------------------
    // Errors
    // ---------------------------------------------------------------------------------------------------------------

    /// @notice The call carries no record.
    error EmptyBatch();

    /// @notice The call carries more records than one call may.
    /// @param size How many were sent.
    /// @param limit How many may be sent.
    error BatchTooLarge(uint256 size, uint256 limit);

    /// @notice Each key needs exactly one commitment.
    /// @param keys How many keys were sent.
    /// @param commitments How many commitments were sent.
    error LengthMismatch(uint256 keys, uint256 commitments);

    /// @notice Zero means "not claimed", so it cannot be a commitment.
    /// @param index The entry at fault.
    error ZeroCommitment(uint256 index);

    // ---------------------------------------------------------------------------------------------------------------
    // Functions
    // ---------------------------------------------------------------------------------------------------------------

    /// @notice Claims ids of the sender's organization and stores their commitments.
    ///
    /// Per entry, in order: an unclaimed id is stored and becomes a leaf; a claimed id with the same commitment is
    /// passed over; a claimed id with another commitment emits `Conflicted` and is passed over. An id that comes twice
    /// in one call follows the same rule. Malformed input (the errors above) reverts the whole call.
    ///
    /// @dev Gas per new record of a whole transaction, intrinsic cost and calldata included: 49.7k for one record alone,
    /// 24.3k each for 100, 24.1k each for 512 (`snapshots/Records.json` has the exact figures). 22.1k of it is the one
    /// storage slot. A repeated record takes 3.8k, a conflicting one 5.9k.
    /// @param keys What the organization calls its records, for example the hash of an idempotency key; 1 to 512.
    /// @param commitments What is committed to, one per key, never zero.
    function record(bytes32[] calldata keys, bytes32[] calldata commitments) external;

    /// @notice The commitment stored under an id, or zero when the id is not claimed.
    /// @param id A record id, see `idOf`.
    function commitmentOf(bytes32 id) external view returns (bytes32 commitment);

    /// @notice The id of an organization's record.
    /// @param organization The owner, see `organizationOf`.
    /// @param key The organization's own key of the record.
    function idOf(bytes32 organization, bytes32 key) external pure returns (bytes32 id);

    /// @notice The organization an account acts for. As long as the network keeps no register of members, every account
    /// is an organization of its own: the address, left-padded with zeros.
    /// @param account The account that sends records.
    function organizationOf(address account) external view returns (bytes32 organization);
}
