// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Vm} from "./Vm.sol";

/// @title Test
/// @notice Base of every test contract: forge runs the `test*` and `invariant*` functions, each on a fresh state.
abstract contract Test {
    /// @dev Where forge answers cheatcodes.
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
}
