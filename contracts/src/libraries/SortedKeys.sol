// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title SortedKeys
/// @notice Short lists of distinct words in storage. `insert` and `remove` keep a list ascending; `drop` does not, and is
/// cheaper. All walk the list: for lists of a few dozen entries, bounded by the caller.
library SortedKeys {
    /// @notice The word is not in the list.
    /// @param key The word.
    error KeyNotFound(bytes32 key);

    /// @notice Puts a word that is not in an ascending list at its place.
    function insert(bytes32[] storage keys, bytes32 key) internal {
        uint256 index = keys.length;
        keys.push(key);
        for (; index != 0 && keys[index - 1] > key; --index) {
            keys[index] = keys[index - 1];
        }
        keys[index] = key;
    }

    /// @notice Takes a word out of a list and closes the gap.
    function remove(bytes32[] storage keys, bytes32 key) internal {
        uint256 last = keys.length - 1;
        for (uint256 index = indexOf(keys, key); index < last; ++index) {
            keys[index] = keys[index + 1];
        }
        keys.pop();
    }

    /// @notice Takes a word out of a list and puts the last one in its place.
    function drop(bytes32[] storage keys, bytes32 key) internal {
        uint256 index = indexOf(keys, key);
        keys[index] = keys[keys.length - 1];
        keys.pop();
    }

    /// @notice Where a word stands in a list.
    function indexOf(bytes32[] storage keys, bytes32 key) internal view returns (uint256 index) {
        uint256 length = keys.length;
        for (index = 0; index < length; ++index) {
            if (keys[index] == key) return index;
        }
        revert KeyNotFound(key);
    }
}
