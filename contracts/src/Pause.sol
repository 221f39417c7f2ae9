// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IMembers} from "./interfaces/IMembers.sol";
import {IParameters} from "./interfaces/IParameters.sol";
import {IPause} from "./interfaces/IPause.sol";
import {Ballots} from "./libraries/Ballots.sol";
import {Quorum} from "./libraries/Quorum.sol";
import {SystemAddresses} from "./libraries/SystemAddresses.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Pause
/// @notice See `IPause`.
///
/// @dev A system contract, see `Records` for what that means. Genesis writes nothing here. A pause holds while the second
/// that stands here is later than the block's.
///
/// | slot | content                                                                             |
/// | ---- | ----------------------------------------------------------------------------------- |
/// | 0    | `_deployments`: the second in which their pause ends                                |
/// | 1    | `_contracts`: at `keccak256(address ‖ 1)` the second in which its pause ends        |
/// | 2    | `_organizations`: at `keccak256(id ‖ 2)` the second in which its pause ends         |
/// | 3    | `_motionCount`                                                                      |
/// | 4    | `_motions`: at `keccak256(number ‖ 4)` the three slots of `Motion`                  |
/// | 5    | `_ballots`: at `keccak256(number ‖ 5)` the `Tally`                                  |
contract Pause is IPause {
    using Ballots for Ballots.Ballot;
    using SafeCast for uint256;

    /// @dev Long enough for the slow way, a proposal with its vote and timelock.
    uint256 private constant _DURATION_MAX = 7 days;
    uint256 private constant _MOTION_PERIOD = 1 days;

    IMembers private constant _MEMBERS = IMembers(SystemAddresses.MEMBERS);

    uint256 private _deployments;
    mapping(address target => uint256 until) private _contracts;
    mapping(bytes32 organization => uint256 until) private _organizations;
    uint256 private _motionCount;
    mapping(uint256 motion => Motion) private _motions;
    mapping(uint256 motion => Ballots.Ballot) private _ballots;

    /// @inheritdoc IPause
    function movePause(Scope scope, bytes32 subject, uint256 duration) external returns (uint256 motion) {
        if (duration == 0 || duration > _DURATION_MAX) revert InvalidDuration(duration, _DURATION_MAX);
        return _move(scope, subject, duration.toUint32());
    }

    /// @inheritdoc IPause
    function moveLift(Scope scope, bytes32 subject) external returns (uint256 motion) {
        return _move(scope, subject, 0);
    }

    /// @inheritdoc IPause
    function approve(uint256 motion) external {
        if (_motions[motion].proposer == 0) revert UnknownMotion(motion);
        _approve(motion, Ballots.voterOf(msg.sender));
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Views
    // ---------------------------------------------------------------------------------------------------------------

    /// @inheritdoc IPause
    function pausedUntil(Scope scope, bytes32 subject) public view returns (uint256 until) {
        if (scope == Scope.Deployments) return _deployments;
        if (scope == Scope.Contract) return _contracts[_addressOf(subject)];
        return _organizations[subject];
    }

    /// @inheritdoc IPause
    function isPaused(Scope scope, bytes32 subject) external view returns (bool paused) {
        return pausedUntil(scope, subject) > block.timestamp;
    }

    /// @inheritdoc IPause
    function isStopped(address sender, address to, bool creates) external view returns (bool stopped) {
        if (creates && _deployments > block.timestamp) return true;
        if (!creates && SystemAddresses.isGoverning(to)) return false;
        if (!creates && _contracts[to] > block.timestamp) return true;
        // Who belongs to none is under id 0, which cannot be paused.
        return _organizations[_MEMBERS.organizationOf(sender)] > block.timestamp;
    }

    /// @inheritdoc IPause
    function motionAt(uint256 motion) external view returns (Motion memory found) {
        return _motions[motion];
    }

    /// @inheritdoc IPause
    function tallyOf(uint256 motion) external view returns (Tally memory tally) {
        return _ballots[motion].tally;
    }

    /// @inheritdoc IPause
    function choiceOf(uint256 motion, bytes32 organization) external view returns (Choice choice) {
        return _ballots[motion].choices[organization];
    }

    /// @inheritdoc IPause
    function motions() external view returns (uint256 count) {
        return _motionCount;
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Helpers
    // ---------------------------------------------------------------------------------------------------------------

    function _move(Scope scope, bytes32 subject, uint32 duration) private returns (uint256 motion) {
        bytes32 proposer = Ballots.voterOf(msg.sender);
        _requireSubject(scope, subject);

        motion = ++_motionCount;
        _motions[motion] = Motion(proposer, subject, scope, false, duration);
        uint256 electorate = Ballots.electorateAt(Ballots.snapshot());
        uint256 threshold = IParameters(SystemAddresses.PARAMETERS).valueOf(IParameters.Parameter.Threshold);
        _ballots[motion].open(_MOTION_PERIOD, electorate, Quorum.ordinary(electorate, threshold));
        emit MotionMade(motion, proposer, scope, subject, duration, _ballots[motion].tally);
        _approve(motion, proposer);
    }

    function _approve(uint256 motion, bytes32 organization) private {
        Ballots.Ballot storage ballot = _ballots[motion];
        ballot.cast(organization, Choice.Approve);
        emit MotionApproved(motion, organization);
        if (ballot.outcome() == Outcome.Approved) _carry(motion, _motions[motion]);
    }

    function _carry(uint256 motion, Motion storage carried) private {
        carried.carried = true;
        if (carried.duration == 0) {
            _set(carried.scope, carried.subject, 0);
            emit Lifted(carried.scope, carried.subject, motion);
        } else {
            uint256 until = block.timestamp + carried.duration;
            _set(carried.scope, carried.subject, until);
            emit Paused(carried.scope, carried.subject, motion, until);
        }
    }

    function _set(Scope scope, bytes32 subject, uint256 until) private {
        if (scope == Scope.Deployments) _deployments = until;
        else if (scope == Scope.Contract) _contracts[_addressOf(subject)] = until;
        else _organizations[subject] = until;
    }

    function _requireSubject(Scope scope, bytes32 subject) private view {
        bool valid;
        if (scope == Scope.Deployments) {
            valid = subject == 0;
        } else if (scope == Scope.Contract) {
            address target = _addressOf(subject);
            valid = subject != 0 && subject == bytes32(uint256(uint160(target))) && !SystemAddresses.isSystem(target);
        } else {
            IMembers.Status status = _MEMBERS.organizationAt(subject).status;
            valid = status == IMembers.Status.Active || status == IMembers.Status.Suspended;
        }
        if (!valid) revert InvalidSubject(scope, subject);
    }

    function _addressOf(bytes32 subject) private pure returns (address target) {
        return address(uint160(uint256(subject)));
    }
}
