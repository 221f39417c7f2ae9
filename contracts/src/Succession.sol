// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Governed} from "./base/Governed.sol";
import {ISuccession} from "./interfaces/ISuccession.sol";

/// @title Succession
/// @notice See `ISuccession`.
///
/// @dev A system contract, see `Records` for what that means. Genesis writes nothing here; founding anew from an export empties
/// it.
///
/// | slot | content                                                                                                    |
/// | ---- | ---------------------------------------------------------------------------------------------------------- |
/// | 0    | `_closedAt`: the block that closed the network, 0 = not closed                                             |
/// | 1    | `_successor.identity`: 193 when there is one; its 96 bytes from `keccak256(1)` on                          |
/// | 2    | `_successor.chainId`                                                                                       |
/// | 3    | `_successor.genesis`, 0 = none is named                                                                    |
contract Succession is ISuccession, Governed {
    uint256 private constant _IDENTITY_BYTES = 96;
    /// @dev Receipts have chain ids as numbers of JSON.
    uint256 private constant _CHAIN_ID_MAX = 2 ** 53 - 1;

    uint256 private _closedAt;
    Network private _successor;

    /// @inheritdoc ISuccession
    function close() external onlyGovernance {
        if (_closedAt != 0) revert AlreadyClosed(_closedAt);
        _closedAt = block.number;
        emit Closed(block.number);
    }

    /// @inheritdoc ISuccession
    function reopen() external onlyGovernance {
        _requireClosed();
        delete _closedAt;
        emit Reopened();
    }

    /// @inheritdoc ISuccession
    function nameSuccessor(bytes calldata identity, uint256 chainId, bytes32 genesis) external onlyGovernance {
        _requireClosed();
        // A compressed point has the first bit set, and the second one only if it is zero.
        if (identity.length != _IDENTITY_BYTES || uint8(identity[0]) >> 6 != 2) revert InvalidIdentity(identity);
        if (chainId == 0 || chainId > _CHAIN_ID_MAX || genesis == 0) revert InvalidNetwork(chainId, genesis);
        _successor = Network(identity, chainId, genesis);
        emit SuccessorNamed(identity, chainId, genesis);
    }

    /// @inheritdoc ISuccession
    function closedAt() external view returns (uint256 height) {
        return _closedAt;
    }

    /// @inheritdoc ISuccession
    function successor() external view returns (Network memory network) {
        return _successor;
    }

    function _requireClosed() private view {
        bool closed = _closedAt != 0;
        if (!closed) revert NotClosed();
        if (_successor.genesis != 0) revert AlreadySucceeded(_successor.genesis);
    }
}
