// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title SystemAddresses
/// @notice Where the system contracts stand from genesis on: ASCII "ASHLAR", zeros, a number. They find each other by
/// these constants, since no constructor ever runs that could be told.
library SystemAddresses {
    address internal constant RECORDS = 0x4153484c41520000000000000000000000000001;
    address internal constant MEMBERS = 0x4153484C41520000000000000000000000000002;
    address internal constant GOVERNANCE = 0x4153484C41520000000000000000000000000003;
    address internal constant PARAMETERS = 0x4153484C41520000000000000000000000000004;
    address internal constant UPGRADES = 0x4153484c41520000000000000000000000000005;
    address internal constant PAUSE = 0x4153484c41520000000000000000000000000006;
    address internal constant DISPUTES = 0x4153484c41520000000000000000000000000007;
    address internal constant STAKE = 0x4153484C41520000000000000000000000000008;
    address internal constant SUCCESSION = 0x4153484c41520000000000000000000000000009;
    address internal constant OPERATIONS = 0x4153484c4152000000000000000000000000000a;

    /// @dev The 18 bytes before the number; all of that range is kept for system contracts.
    uint160 private constant _PREFIX = uint160(RECORDS) >> 16;

    /// @notice Whether an address is kept for a system contract, one that exists or a later one.
    function isSystem(address account) internal pure returns (bool) {
        return uint160(account) >> 16 == _PREFIX;
    }

    /// @notice Whether an address belongs to the contracts that govern: every system contract but `Records` and
    /// `Operations`, which work. Neither a pause nor a missing permission keeps a member's account from calling them.
    function isGoverning(address account) internal pure returns (bool) {
        return isSystem(account) && account != RECORDS && account != OPERATIONS;
    }
}
