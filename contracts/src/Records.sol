// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRecords} from "./interfaces/IRecords.sol";
import {RecordTree} from "./libraries/RecordTree.sol";

/// @title Records
/// @notice See `IRecords`.
///
/// @dev A system contract: its code stands in genesis without a constructor having run, and governance may replace the
/// code at the same address. Hence no immutables, no constructor, and a storage layout that is only ever appended to:
///
/// | slot | content                                                                              |
/// | ---- | ------------------------------------------------------------------------------------ |
/// | 0    | `_commitments`; the commitment of `id` is at `keccak256(id ‖ uint256(0))`, 0 = unclaimed |
contract Records is IRecords {
    /// @dev 512 new records take about 12.4 million gas; the transaction gas cap of EIP-7825 is 16,777,216.
    uint256 private constant _BATCH_LIMIT = 512;

    mapping(bytes32 id => bytes32 commitment) private _commitments;

    /// @inheritdoc IRecords
    function record(bytes32[] calldata keys, bytes32[] calldata commitments) external {
        uint256 size = keys.length;
        if (size == 0) revert EmptyBatch();
        if (size > _BATCH_LIMIT) revert BatchTooLarge(size, _BATCH_LIMIT);
        if (size != commitments.length) revert LengthMismatch(size, commitments.length);

        bytes32 organization = organizationOf(msg.sender);
        bytes32[] memory leaves = new bytes32[](size);
        bytes memory claimed = _allOf(size);
        uint256 count = 0;

        for (uint256 i = 0; i < size; ++i) {
            bytes32 commitment = commitments[i];
            if (commitment == 0) revert ZeroCommitment(i);

            bytes32 id = idOf(organization, keys[i]);
            bytes32 recorded = _commitments[id];
            if (recorded == 0) {
                _commitments[id] = commitment;
                leaves[count++] = RecordTree.leaf(id, commitment);
                continue;
            }

            claimed[i / 8] &= ~(bytes1(0x01) << (i % 8));
            if (recorded != commitment) emit Conflicted(organization, id, recorded, commitment);
        }

        if (count == 0) return;
        bytes32 root = RecordTree.consumeToRoot(leaves, count);
        emit Recorded(organization, root, count, count == size ? bytes("") : claimed);
    }

    /// @inheritdoc IRecords
    function commitmentOf(bytes32 id) external view returns (bytes32 commitment) {
        return _commitments[id];
    }

    /// @inheritdoc IRecords
    function idOf(bytes32 organization, bytes32 key) public pure returns (bytes32 id) {
        assembly ("memory-safe") {
            // The scratch space, where abi.encodePacked would take new memory for every record of a call.
            mstore(0x00, organization)
            mstore(0x20, key)
            id := keccak256(0x00, 0x40)
        }
    }

    /// @inheritdoc IRecords
    function organizationOf(address account) public pure returns (bytes32 organization) {
        return bytes32(uint256(uint160(account)));
    }

    /// @dev The bitmap with every entry of a call set. Most calls skip nothing, so striking out is the cheaper way round.
    function _allOf(uint256 size) private pure returns (bytes memory bitmap) {
        bitmap = new bytes((size + 7) / 8);
        uint256 whole = size / 8;
        for (uint256 i = 0; i < whole; ++i) {
            bitmap[i] = 0xff;
        }
        if (size % 8 != 0) bitmap[whole] = bytes1(0xff) >> (8 - size % 8);
    }
}
