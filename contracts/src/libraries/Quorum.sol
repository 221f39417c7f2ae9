// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title Quorum
/// @notice How many of `count` organizations must approve. Always of all that may vote, not of those that did.
library Quorum {
    /// @notice More than two thirds, for what decides who decides. It is `count - f` with `f = (count - 1) / 3`, exactly
    /// what consensus needs: more would let `f` organizations that are gone block everything, so no parameter raises it.
    function critical(uint256 count) internal pure returns (uint256 required) {
        return count * 2 / 3 + 1;
    }

    /// @notice A share of the organizations, at least a strict majority and at most what `critical` asks.
    /// @param threshold The share in ten-thousandths.
    function ordinary(uint256 count, uint256 threshold) internal pure returns (uint256 required) {
        required = (count * threshold + 9999) / 10_000;
        uint256 least = majority(count);
        uint256 most = critical(count);
        if (required < least) return least;
        if (required > most) return most;
    }

    /// @notice More than half.
    function majority(uint256 count) internal pure returns (uint256 required) {
        return count / 2 + 1;
    }
}
