// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {IParameters} from "../src/interfaces/IParameters.sol";
import {SystemAddresses} from "../src/libraries/SystemAddresses.sol";
import {SystemTest} from "./base/SystemTest.sol";

/// @title ParametersTest
/// @notice The rules of `IParameters`, each over all parameters where it concerns all.
contract ParametersTest is SystemTest {
    uint8 private constant _COUNT = uint8(type(IParameters.Parameter).max) + 1;
    uint8 private constant _FIRST_VOTING_RULE = uint8(IParameters.Parameter.VotingPeriod);

    function setUp() external {
        _found(4, false);
    }

    function test_UnsetParameterHasItsInitialValueWithinItsBounds() external view {
        for (uint8 i = 0; i < _COUNT; ++i) {
            IParameters.Bounds memory bounds = parameters.boundsOf(IParameters.Parameter(i));
            vm.assertEq(parameters.valueOf(IParameters.Parameter(i)), bounds.initial, "initial");
            vm.assertTrue(bounds.least != 0, "0 means: not set");
            vm.assertTrue(bounds.least <= bounds.initial && bounds.initial <= bounds.greatest, "in order");
        }
    }

    function test_BothEndsOfTheBoundsAreAllowed() external {
        for (uint8 i = 0; i < _COUNT; ++i) {
            IParameters.Bounds memory bounds = parameters.boundsOf(IParameters.Parameter(i));
            _set(i, bounds.least);
            vm.assertEq(parameters.valueOf(IParameters.Parameter(i)), bounds.least, "least");
            _set(i, bounds.greatest);
            vm.assertEq(parameters.valueOf(IParameters.Parameter(i)), bounds.greatest, "greatest");
        }
    }

    function test_BeyondTheBoundsIsRefused() external {
        for (uint8 i = 0; i < _COUNT; ++i) {
            IParameters.Parameter parameter = IParameters.Parameter(i);
            IParameters.Bounds memory bounds = parameters.boundsOf(parameter);
            uint256[3] memory wrong = [bounds.least - 1, bounds.greatest + 1, type(uint256).max];
            for (uint256 j = 0; j < 3; ++j) {
                _governing();
                vm.expectRevert(
                    abi.encodeWithSelector(
                        IParameters.OutOfBounds.selector, parameter, wrong[j], bounds.least, bounds.greatest
                    )
                );
                _call(i, wrong[j]);
            }
        }
    }

    function test_ValueIsTheSlotOfItsNumber() external {
        _set(uint8(IParameters.Parameter.BlockGap), 17);
        bytes32 slot = bytes32(uint256(IParameters.Parameter.BlockGap));
        vm.assertEq(vm.load(SystemAddresses.PARAMETERS, slot), bytes32(uint256(17)), "slot");
    }

    function test_ChangeIsAnEvent() external {
        vm.expectEmit(SystemAddresses.PARAMETERS);
        emit IParameters.ParameterSet(IParameters.Parameter.BlockGas, 100_000_000, 60_000_000);
        _set(uint8(IParameters.Parameter.BlockGas), 60_000_000);
        vm.expectEmit(SystemAddresses.PARAMETERS);
        emit IParameters.ParameterSet(IParameters.Parameter.BlockGas, 60_000_000, 70_000_000);
        _set(uint8(IParameters.Parameter.BlockGas), 70_000_000);
    }

    function test_LimitsAndVotingRulesHaveTheirOwnWays() external {
        _governing();
        vm.expectRevert(abi.encodeWithSelector(IParameters.IsVotingRule.selector, IParameters.Parameter.Threshold));
        parameters.setLimit(IParameters.Parameter.Threshold, 6000);
        _governing();
        vm.expectRevert(abi.encodeWithSelector(IParameters.IsLimit.selector, IParameters.Parameter.BlockGas));
        parameters.setVotingRule(IParameters.Parameter.BlockGas, 60_000_000);
    }

    function test_OnlyGovernanceSets() external {
        bytes memory refused = abi.encodeWithSelector(IGoverned.NotGovernance.selector, _admin(0));
        _asAdmin(0);
        vm.expectRevert(refused);
        parameters.setLimit(IParameters.Parameter.BlockGas, 60_000_000);
        _asAdmin(0);
        vm.expectRevert(refused);
        parameters.setVotingRule(IParameters.Parameter.Threshold, 6000);
    }

    function test_DevNetworkMayBeQuick() external {
        _found(1, true);
        _set(uint8(IParameters.Parameter.VotingPeriod), 1);
        _set(uint8(IParameters.Parameter.Timelock), 1);
        _set(uint8(IParameters.Parameter.UpgradeNotice), 1);
        vm.assertEq(parameters.boundsOf(IParameters.Parameter.ExecutionWindow).least, 1 hours, "time to execute");
        vm.assertEq(parameters.boundsOf(IParameters.Parameter.Threshold).least, 5000, "a majority is a majority");
        vm.assertEq(parameters.boundsOf(IParameters.Parameter.BlockGas).least, 30_000_000, "and gas is gas");
    }

    function test_GreatestTransactionFitsWhateverIsSet() external view {
        for (uint8 i = 0; i <= uint8(IParameters.Parameter.OrganizationGas); ++i) {
            vm.assertTrue(parameters.boundsOf(IParameters.Parameter(i)).least >= 16_777_216, "EIP-7825");
        }
    }

    function test_GapsNeverExceedTheIdleInterval() external view {
        uint256 idle = parameters.boundsOf(IParameters.Parameter.IdleInterval).least;
        vm.assertTrue(parameters.boundsOf(IParameters.Parameter.BlockGap).greatest <= idle, "gap");
        vm.assertTrue(parameters.boundsOf(IParameters.Parameter.SettleInterval).greatest <= idle, "settle");
    }

    function test_CommittedArtifactIsThisContract() external view {
        _assertArtifact(SystemAddresses.PARAMETERS, "artifacts/Parameters.json");
    }

    /// @dev All values a parameter takes are within its bounds; all others are refused.
    function testFuzz_OnlyValuesWithinTheBounds(uint8 index, uint256 value, bool dev) external {
        _found(4, dev);
        index %= _COUNT;
        IParameters.Bounds memory bounds = parameters.boundsOf(IParameters.Parameter(index));
        // Half of the draws near the bounds.
        if (value % 2 == 0) value %= bounds.greatest * 2;
        bool allowed = value >= bounds.least && value <= bounds.greatest;

        _governing();
        (bool ok,) = SystemAddresses.PARAMETERS.call(_encoded(index, value));
        vm.assertTrue(ok == allowed, "allowed");
        vm.assertEq(parameters.valueOf(IParameters.Parameter(index)), allowed ? value : bounds.initial, "value");
    }

    function _set(uint8 index, uint256 value) private {
        _governing();
        _call(index, value);
    }

    function _call(uint8 index, uint256 value) private {
        if (index < _FIRST_VOTING_RULE) parameters.setLimit(IParameters.Parameter(index), value);
        else parameters.setVotingRule(IParameters.Parameter(index), value);
    }

    function _encoded(uint8 index, uint256 value) private pure returns (bytes memory data) {
        IParameters.Parameter parameter = IParameters.Parameter(index);
        if (index < _FIRST_VOTING_RULE) return abi.encodeCall(IParameters.setLimit, (parameter, value));
        return abi.encodeCall(IParameters.setVotingRule, (parameter, value));
    }
}
