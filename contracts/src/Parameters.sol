// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Governed} from "./base/Governed.sol";
import {IMembers} from "./interfaces/IMembers.sol";
import {IParameters} from "./interfaces/IParameters.sol";
import {SystemAddresses} from "./libraries/SystemAddresses.sol";

/// @title Parameters
/// @notice See `IParameters`.
///
/// @dev A system contract, see `Records` for what that means.
///
/// | slot    | content                                                                      |
/// | ------- | ---------------------------------------------------------------------------- |
/// | 0 – 255 | the value of the parameter with that number; 0 = not set, the initial value  |
///
/// Genesis should write the slot of every parameter the node reads, so that the node needs no table of initial values.
contract Parameters is IParameters, Governed {
    /// @dev Reserved for parameters to come.
    uint256[256] private _values;

    /// @inheritdoc IParameters
    function setLimit(Parameter parameter, uint256 value) external onlyGovernance {
        if (_isVotingRule(parameter)) revert IsVotingRule(parameter);
        _set(parameter, value);
    }

    /// @inheritdoc IParameters
    function setVotingRule(Parameter parameter, uint256 value) external onlyGovernance {
        if (!_isVotingRule(parameter)) revert IsLimit(parameter);
        _set(parameter, value);
    }

    /// @inheritdoc IParameters
    function valueOf(Parameter parameter) public view returns (uint256 value) {
        value = _values[uint8(parameter)];
        if (value == 0) return _boundsOf(parameter).initial;
    }

    /// @inheritdoc IParameters
    function boundsOf(Parameter parameter) public view returns (Bounds memory bounds) {
        bounds = _boundsOf(parameter);
        if (_isShorterInDev(parameter) && IMembers(SystemAddresses.MEMBERS).isDev()) bounds.least = 1;
    }

    function _set(Parameter parameter, uint256 value) private {
        Bounds memory bounds = boundsOf(parameter);
        if (value < bounds.least || value > bounds.greatest) {
            revert OutOfBounds(parameter, value, bounds.least, bounds.greatest);
        }
        uint256 previous = valueOf(parameter);
        _values[uint8(parameter)] = value;
        emit ParameterSet(parameter, previous, value);
    }

    function _isVotingRule(Parameter parameter) private pure returns (bool) {
        return parameter >= Parameter.VotingPeriod;
    }

    /// @dev Periods that people need, and validators that tolerate a fault.
    function _isShorterInDev(Parameter parameter) private pure returns (bool) {
        return
            parameter >= Parameter.UpgradeNotice && parameter <= Parameter.Timelock
                && parameter != Parameter.StakeMinimum;
    }

    function _boundsOf(Parameter parameter) private pure returns (Bounds memory bounds) {
        if (parameter == Parameter.BlockGas) return Bounds(30_000_000, 1_000_000_000, 100_000_000);
        // A quota lets the greatest transaction through: no account is shut out by it.
        if (parameter == Parameter.AccountGas) return Bounds(16_777_216, 1_000_000_000, 1_000_000_000);
        if (parameter == Parameter.OrganizationGas) return Bounds(16_777_216, 1_000_000_000, 1_000_000_000);
        if (parameter == Parameter.IdleInterval) return Bounds(100, 1000, 1000);
        if (parameter == Parameter.BlockGap) return Bounds(1, 100, 5);
        if (parameter == Parameter.SettleInterval) return Bounds(1, 100, 50);
        if (parameter == Parameter.UpgradeNotice) return Bounds(600, 1_000_000, 1200);
        if (parameter == Parameter.StakeValidators) return Bounds(4, 32, 32);
        if (parameter == Parameter.StakeMinimum) return Bounds(1, 1e27, 1e18);
        if (parameter == Parameter.UnbondingPeriod) return Bounds(1 days, 90 days, 14 days);
        if (parameter == Parameter.AnswerPeriod) return Bounds(1 days, 90 days, 14 days);
        if (parameter == Parameter.CompensationPeriod) return Bounds(1 days, 180 days, 30 days);
        if (parameter == Parameter.VotingPeriod) return Bounds(1 hours, 30 days, 3 days);
        if (parameter == Parameter.Timelock) return Bounds(1 hours, 30 days, 1 days);
        if (parameter == Parameter.ExecutionWindow) return Bounds(1 hours, 90 days, 14 days);
        return Bounds(5000, 6667, 5000);
    }
}
