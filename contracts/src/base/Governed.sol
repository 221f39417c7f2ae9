// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IGoverned} from "../interfaces/IGoverned.sol";
import {SystemAddresses} from "../libraries/SystemAddresses.sol";

/// @title Governed
/// @notice See `IGoverned`. Has no storage.
abstract contract Governed is IGoverned {
    modifier onlyGovernance() {
        if (msg.sender != SystemAddresses.GOVERNANCE) revert NotGovernance(msg.sender);
        _;
    }
}
