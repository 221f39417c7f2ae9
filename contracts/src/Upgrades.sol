// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Governed} from "./base/Governed.sol";
import {IParameters} from "./interfaces/IParameters.sol";
import {IUpgrades} from "./interfaces/IUpgrades.sol";
import {SortedKeys} from "./libraries/SortedKeys.sol";
import {SystemAddresses} from "./libraries/SystemAddresses.sol";

/// @title Upgrades
/// @notice See `IUpgrades`.
///
/// @dev A system contract, see `Records` for what that means. Genesis may write forks that hold from the start with a
/// height of at least 1 (0 means "not scheduled").
///
/// | slot | content                                                                                                  |
/// | ---- | -------------------------------------------------------------------------------------------------------- |
/// | 0    | `_versions`: the version in force (bytes 0–3), the next one (4–7), from which height that holds (8–15)   |
/// | 1    | `_forks`: their number; the ids from `keccak256(1)` on                                                   |
/// | 2    | `_heights`: at `keccak256(fork ‖ 2)` the height from which on the fork's rules hold, 0 = not scheduled   |
contract Upgrades is IUpgrades, Governed {
    using SortedKeys for bytes32[];

    uint256 private constant _FORKS_MAX = 256;

    struct Versions {
        uint32 current;
        uint32 next;
        uint64 height;
    }

    Versions private _versions;
    bytes32[] private _forks;
    mapping(bytes32 fork => uint256 height) private _heights;

    /// @inheritdoc IUpgrades
    function scheduleFork(bytes32 fork, uint256 height) external onlyGovernance {
        if (fork == 0) revert ZeroFork();
        _requireNotice(height);
        uint256 scheduled = _heights[fork];
        if (scheduled != 0 && scheduled <= block.number) revert AlreadyActive(fork, scheduled);
        if (scheduled == 0) {
            if (_forks.length == _FORKS_MAX) revert TooManyForks(_FORKS_MAX);
            _forks.push(fork);
        }
        _heights[fork] = height;
        emit ForkScheduled(fork, height);
    }

    /// @inheritdoc IUpgrades
    function cancelFork(bytes32 fork) external onlyGovernance {
        uint256 scheduled = _heights[fork];
        if (scheduled == 0) revert NotScheduled(fork);
        if (scheduled <= block.number) revert AlreadyActive(fork, scheduled);
        delete _heights[fork];
        _forks.drop(fork);
        emit ForkCanceled(fork);
    }

    /// @inheritdoc IUpgrades
    function setMinimumVersion(uint32 version, uint256 height) external onlyGovernance {
        _requireNotice(height);
        uint32 current = _currentVersion();
        if (version <= current) revert VersionNotHigher(version, current);
        // `_requireNotice` has bounded the height.
        // forge-lint: disable-next-line(unsafe-typecast)
        _versions = Versions(current, version, uint64(height));
        emit MinimumVersionSet(version, height);
    }

    /// @inheritdoc IUpgrades
    function heightOf(bytes32 fork) external view returns (uint256 height) {
        return _heights[fork];
    }

    /// @inheritdoc IUpgrades
    function isActive(bytes32 fork) external view returns (bool active) {
        return _heights[fork] != 0 && _heights[fork] <= block.number;
    }

    /// @inheritdoc IUpgrades
    function forks() external view returns (bytes32[] memory ids) {
        return _forks;
    }

    /// @inheritdoc IUpgrades
    function minimumVersion() external view returns (uint256 version) {
        return _currentVersion();
    }

    /// @inheritdoc IUpgrades
    function nextVersion() external view returns (uint256 version, uint256 height) {
        if (_versions.height > block.number) return (_versions.next, _versions.height);
    }

    function _currentVersion() private view returns (uint32 version) {
        return _versions.height <= block.number && _versions.next != 0 ? _versions.next : _versions.current;
    }

    function _requireNotice(uint256 height) private view {
        uint256 notice = IParameters(SystemAddresses.PARAMETERS).valueOf(IParameters.Parameter.UpgradeNotice);
        if (height < block.number + notice) revert TooSoon(height, block.number + notice);
        if (height > type(uint64).max) revert TooLate(height);
    }
}
