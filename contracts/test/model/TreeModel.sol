// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title TreeModel
/// @notice The record tree written a second time, by recursion from the top: the left child of a tree of n > 1 leaves
/// holds the largest power of two below n. That is the same tree as pairing from the left, level by level, with an odd
/// last node moving up, and shares no step with it.
library TreeModel {
    function leaf(bytes32 id, bytes32 commitment) internal pure returns (bytes32 hash) {
        return keccak256(abi.encodePacked(keccak256("ashlar/record-leaf/1"), id, commitment));
    }

    function node(bytes32 left, bytes32 right) internal pure returns (bytes32 hash) {
        return keccak256(abi.encodePacked(keccak256("ashlar/record-node/1"), left, right));
    }

    function root(bytes32[] memory leaves, uint256 count) internal pure returns (bytes32 hash) {
        return _subtree(leaves, 0, count);
    }

    /// @notice The root that a leaf and its path lead to, in a tree of `count` leaves.
    function climb(bytes32 start, uint256 index, uint256 count, bytes32[] memory siblings)
        internal
        pure
        returns (bytes32 hash)
    {
        (hash,) = _climb(start, index, count, siblings, siblings.length);
    }

    function _subtree(bytes32[] memory leaves, uint256 from, uint256 count) private pure returns (bytes32 hash) {
        if (count == 1) return leaves[from];
        uint256 left = _powerBelow(count);
        return node(_subtree(leaves, from, left), _subtree(leaves, from + left, count - left));
    }

    /// @dev Siblings come from the bottom up, so the one beside the current subtree's child is the last of its share.
    function _climb(bytes32 start, uint256 index, uint256 count, bytes32[] memory siblings, uint256 end)
        private
        pure
        returns (bytes32 hash, uint256 used)
    {
        if (count == 1) {
            require(end == 0, "path too long");
            return (start, 0);
        }
        require(end != 0, "path too short");
        uint256 left = _powerBelow(count);
        bytes32 sibling = siblings[end - 1];
        if (index < left) {
            (hash, used) = _climb(start, index, left, siblings, end - 1);
            return (node(hash, sibling), used + 1);
        }
        (hash, used) = _climb(start, index - left, count - left, siblings, end - 1);
        return (node(sibling, hash), used + 1);
    }

    function _powerBelow(uint256 count) private pure returns (uint256 power) {
        power = 1;
        while (power * 2 < count) power *= 2;
    }
}
