// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {IGoverned} from "./IGoverned.sol";

/// @title Succession
/// @notice How a network ends in order: it is *closed*, its state is exported and another network founded with it, and then
/// this one names the other as its *successor*. That is how a network gets a new identity: the old key signs the block that
/// names the new one, so whoever trusts the old identity can follow.
///
/// A closed network executes transactions to the governing contracts only, so that what is exported stays all there is. It may
/// be reopened until it has named a successor; that is said once and for all.
///
/// System contract at `0x4153484c41520000000000000000000000000009`, present at genesis.
interface ISuccession is IGoverned {
    /// @notice Another network.
    /// @param identity Its public key: a point of BLS12-381's G2, compressed, 96 bytes.
    /// @param chainId Its chain id.
    /// @param genesis The hash of its block 0.
    struct Network {
        bytes identity;
        uint256 chainId;
        bytes32 genesis;
    }

    /// @notice The network is closed from the next block on.
    /// @param height The last block in which anything else than governing was possible.
    event Closed(uint256 height);

    /// @notice The network is open again from the next block on.
    event Reopened();

    /// @notice The network goes on as another.
    /// @param identity Its public key.
    /// @param chainId Its chain id.
    /// @param genesis The hash of its block 0.
    event SuccessorNamed(bytes identity, uint256 chainId, bytes32 genesis);

    /// @notice The network is closed.
    /// @param height Since which block.
    error AlreadyClosed(uint256 height);

    /// @notice The network is not closed.
    error NotClosed();

    /// @notice The network has named its successor, for ever.
    /// @param genesis The successor's block 0.
    error AlreadySucceeded(bytes32 genesis);

    /// @notice This is no identity: it has not 96 bytes, or not the mark of a compressed point that is not zero.
    /// @param identity What was given.
    error InvalidIdentity(bytes identity);

    /// @notice This is no network: a chain id is from 1 to 2^53 - 1, and the hash of no block is zero.
    /// @param chainId What was given.
    /// @param genesis What was given.
    error InvalidNetwork(uint256 chainId, bytes32 genesis);

    /// @notice Closes the network.
    function close() external;

    /// @notice Opens it again.
    function reopen() external;

    /// @notice Names the network that goes on with the state of this one.
    /// @param identity Its public key.
    /// @param chainId Its chain id.
    /// @param genesis The hash of its block 0.
    function nameSuccessor(bytes calldata identity, uint256 chainId, bytes32 genesis) external;

    /// @notice The last block in which anything else than governing was possible; 0 when the network is not closed.
    function closedAt() external view returns (uint256 height);

    /// @notice The network that goes on; its genesis is 0 when none is named.
    function successor() external view returns (Network memory network);
}
