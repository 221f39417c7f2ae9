// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {IGoverned} from "./IGoverned.sol";

/// @title Upgrades
/// @notice From which height on which rules hold. A *fork* is a named change of the rules that the node's program knows: an
/// Ethereum fork, new code of a system contract, a new format. It activates at the height that stands here; a node that
/// does not know a fork stops before that height instead of computing something else.
///
/// A height is decided only for the future, at least the parameter `UpgradeNotice` ahead. What has activated stays.
///
/// System contract at `0x4153484c41520000000000000000000000000005`, present at genesis.
interface IUpgrades is IGoverned {
    /// @notice A fork will activate at a height; a later event about the same fork takes its place.
    /// @param fork Its id, the hash of its name.
    /// @param height The first block under the new rules.
    event ForkScheduled(bytes32 indexed fork, uint256 height);

    /// @notice A fork will not activate.
    /// @param fork Its id.
    event ForkCanceled(bytes32 indexed fork);

    /// @notice Nodes need a protocol version from a height on.
    /// @param version The version.
    /// @param height The first block that needs it.
    event MinimumVersionSet(uint256 version, uint256 height);

    /// @notice Zero is no id.
    error ZeroFork();

    /// @notice The height is not far enough ahead.
    /// @param height The height that was wanted.
    /// @param earliest The earliest there can be.
    error TooSoon(uint256 height, uint256 earliest);

    /// @notice Heights fit in 64 bits.
    /// @param height The height that was wanted.
    error TooLate(uint256 height);

    /// @notice The fork has activated: rules of the past do not change.
    /// @param fork Its id.
    /// @param height Since when.
    error AlreadyActive(bytes32 fork, uint256 height);

    /// @notice The fork is not scheduled.
    /// @param fork Its id.
    error NotScheduled(bytes32 fork);

    /// @notice There are as many forks as there may be.
    /// @param limit How many.
    error TooManyForks(uint256 limit);

    /// @notice The minimum version only rises.
    /// @param version The version that was wanted.
    /// @param current The version in force.
    error VersionNotHigher(uint256 version, uint256 current);

    /// @notice Schedules a fork, or moves one that has not activated.
    /// @param fork Its id.
    /// @param height The first block under the new rules.
    function scheduleFork(bytes32 fork, uint256 height) external;

    /// @notice Takes back a fork that has not activated.
    /// @param fork Its id.
    function cancelFork(bytes32 fork) external;

    /// @notice Says which protocol version nodes need from a height on; takes the place of one that is not in force yet.
    /// @param version The version, above the one in force.
    /// @param height The first block that needs it.
    function setMinimumVersion(uint32 version, uint256 height) external;

    /// @notice The height from which on a fork's rules hold; 0 when it is not scheduled.
    /// @param fork Its id.
    function heightOf(bytes32 fork) external view returns (uint256 height);

    /// @notice Whether a fork's rules hold in this block.
    /// @param fork Its id.
    function isActive(bytes32 fork) external view returns (bool active);

    /// @notice The ids of all forks with a height, at most 256, in no particular order.
    function forks() external view returns (bytes32[] memory ids);

    /// @notice The protocol version nodes need in this block; 0 when none was ever asked for.
    function minimumVersion() external view returns (uint256 version);

    /// @notice The version nodes will need, and from when on; the version 0 when none is ahead.
    function nextVersion() external view returns (uint256 version, uint256 height);
}
