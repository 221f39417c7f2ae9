// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IMembers} from "./interfaces/IMembers.sol";
import {IParameters} from "./interfaces/IParameters.sol";
import {IStake} from "./interfaces/IStake.sol";
import {SystemAddresses} from "./libraries/SystemAddresses.sol";

/// @title Stake
/// @notice See `IStake`.
///
/// @dev A system contract, see `Records` for what that means. Genesis may write the first candidates; the balance of this
/// contract must then be their bonds.
///
/// | slot | content                                                                                             |
/// | ---- | --------------------------------------------------------------------------------------------------- |
/// | 0    | `_candidates`: their number; from `keccak256(0)` on three slots each: the key, the owner, the bond  |
/// | 1    | `_places`: at `keccak256(key ‖ 1)` the candidate's place in that list plus one, 0 = no candidate    |
/// | 2    | `_unbondings`: at `keccak256(owner ‖ 2)` the amount, at the next slot when it is released           |
/// | 3    | `_bondedTotal`, the sum of the bonds                                                                |
/// | 4    | `_unbondingTotal`                                                                                   |
contract Stake is IStake {
    uint256 private constant _CANDIDATES_MAX = 128;

    /// @dev Fewer tolerate no fault: n = 3f + 1.
    uint256 private constant _CANDIDATES_FLOOR = 4;

    IMembers private constant _MEMBERS = IMembers(SystemAddresses.MEMBERS);
    IParameters private constant _PARAMETERS = IParameters(SystemAddresses.PARAMETERS);

    Candidate[] private _candidates;
    mapping(bytes32 key => uint256 place) private _places;
    mapping(address owner => Unbonding) private _unbondings;
    uint256 private _bondedTotal;
    uint256 private _unbondingTotal;

    /// @inheritdoc IStake
    function bond(bytes32 key) external payable {
        if (_MEMBERS.policy() != IMembers.Policy.Bonded) revert NotBonded();
        if (key == 0) revert ZeroKey();
        if (msg.value == 0) revert ZeroAmount();

        if (_places[key] == 0) _enter(key);
        Candidate storage candidate = _candidates[_places[key] - 1];
        if (candidate.owner != msg.sender) revert NotOwner(key, msg.sender);
        candidate.bond += msg.value;
        _bondedTotal += msg.value;
        _requireMinimum(candidate.bond);
        emit Bonded(key, msg.sender, msg.value, candidate.bond);
    }

    /// @inheritdoc IStake
    function unbond(bytes32 key, uint256 amount) external {
        uint256 place = _places[key];
        if (place == 0) revert UnknownCandidate(key);
        Candidate storage candidate = _candidates[place - 1];
        if (candidate.owner != msg.sender) revert NotOwner(key, msg.sender);
        if (amount == 0) revert ZeroAmount();
        if (amount > candidate.bond) revert NotEnough(candidate.bond, amount);

        if (amount == candidate.bond) {
            uint256 floor = _MEMBERS.isDev() ? 1 : _CANDIDATES_FLOOR;
            if (_candidates.length <= floor) revert TooFewCandidates(_candidates.length - 1, floor);
            _release(candidate, amount);
            _remove(place);
        } else {
            _requireMinimum(candidate.bond - amount);
            _release(candidate, amount);
        }
    }

    /// @inheritdoc IStake
    function withdraw() external {
        Unbonding memory unbonding = _unbondings[msg.sender];
        if (unbonding.amount == 0) revert NothingUnbonded(msg.sender);
        if (block.timestamp < unbonding.releasedAt) revert TooEarly(unbonding.releasedAt);

        // Before the transfer: whatever the receiver calls, it has withdrawn.
        delete _unbondings[msg.sender];
        _unbondingTotal -= unbonding.amount;
        emit Withdrawn(msg.sender, unbonding.amount);
        (bool ok,) = msg.sender.call{value: unbonding.amount}("");
        if (!ok) revert TransferFailed(msg.sender);
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Views
    // ---------------------------------------------------------------------------------------------------------------

    /// @inheritdoc IStake
    function validators() external view returns (bytes32[] memory keys) {
        Candidate[] memory ranked = _candidates;
        uint256 most = _PARAMETERS.valueOf(IParameters.Parameter.StakeValidators);
        uint256 count = ranked.length < most ? ranked.length : most;
        keys = new bytes32[](count);
        // A selection sort that stops after the first `count`.
        for (uint256 i = 0; i < count; ++i) {
            uint256 best = i;
            for (uint256 j = i + 1; j < ranked.length; ++j) {
                if (_outranks(ranked[j], ranked[best])) best = j;
            }
            (ranked[i], ranked[best]) = (ranked[best], ranked[i]);
            keys[i] = ranked[i].key;
        }
    }

    /// @inheritdoc IStake
    function candidates() external view returns (Candidate[] memory all) {
        return _candidates;
    }

    /// @inheritdoc IStake
    function candidateAt(bytes32 key) external view returns (Candidate memory found) {
        if (_places[key] != 0) return _candidates[_places[key] - 1];
    }

    /// @inheritdoc IStake
    function unbondingOf(address account) external view returns (Unbonding memory found) {
        return _unbondings[account];
    }

    /// @inheritdoc IStake
    function totals() external view returns (uint256 bonded, uint256 unbonding) {
        return (_bondedTotal, _unbondingTotal);
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Helpers
    // ---------------------------------------------------------------------------------------------------------------

    /// @dev Makes an empty candidate for the sender, in the place of the lowest one when there is no other.
    function _enter(bytes32 key) private {
        if (_candidates.length == _CANDIDATES_MAX) {
            uint256 lowest = _lowest();
            Candidate storage evicted = _candidates[lowest];
            if (msg.value <= evicted.bond) revert BondTooLow(msg.value, evicted.bond + 1);
            _release(evicted, evicted.bond);
            _remove(lowest + 1);
        }
        _candidates.push(Candidate(key, msg.sender, 0));
        _places[key] = _candidates.length;
    }

    /// @dev Moves wei from a bond to what its owner can withdraw later.
    function _release(Candidate storage candidate, uint256 amount) private {
        uint256 releasedAt = block.timestamp + _PARAMETERS.valueOf(IParameters.Parameter.UnbondingPeriod);
        candidate.bond -= amount;
        _bondedTotal -= amount;
        _unbondings[candidate.owner].amount += amount;
        _unbondings[candidate.owner].releasedAt = releasedAt;
        _unbondingTotal += amount;
        emit Unbonded(candidate.key, candidate.owner, amount, candidate.bond, releasedAt);
    }

    /// @dev Closes the gap with the last candidate.
    function _remove(uint256 place) private {
        Candidate storage last = _candidates[_candidates.length - 1];
        delete _places[_candidates[place - 1].key];
        if (place != _candidates.length) {
            _places[last.key] = place;
            _candidates[place - 1] = last;
        }
        _candidates.pop();
    }

    function _lowest() private view returns (uint256 lowest) {
        for (uint256 i = 1; i < _candidates.length; ++i) {
            if (_outranks(_candidates[lowest], _candidates[i])) lowest = i;
        }
    }

    function _requireMinimum(uint256 amount) private view {
        uint256 least = _PARAMETERS.valueOf(IParameters.Parameter.StakeMinimum);
        if (amount < least) revert BondTooLow(amount, least);
    }

    function _outranks(Candidate memory one, Candidate memory other) private pure returns (bool) {
        return one.bond > other.bond || (one.bond == other.bond && one.key < other.key);
    }
}
