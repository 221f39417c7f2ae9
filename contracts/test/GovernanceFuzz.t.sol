// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IBallots} from "../src/interfaces/IBallots.sol";
import {IGovernance} from "../src/interfaces/IGovernance.sol";
import {IParameters} from "../src/interfaces/IParameters.sol";
import {SystemAddresses} from "../src/libraries/SystemAddresses.sol";
import {SystemTest} from "./base/SystemTest.sol";

/// @title GovernanceFuzzTest
/// @notice Electorates of every size, approvals of every number, every moment.
contract GovernanceFuzzTest is SystemTest {
    function testFuzz_AcceptedIsWhatEnoughApprove(uint256 count, uint256 approvals, uint256 threshold, bool critical)
        external
    {
        count = 1 + count % 40;
        approvals %= count + 1;
        threshold = 5000 + threshold % 1668;
        _found(count, true);
        _governing();
        parameters.setVotingRule(IParameters.Parameter.Threshold, threshold);

        uint256 proposal = _propose(critical);
        uint256 voted = 0;
        for (; voted < approvals && governance.stateOf(proposal) == IGovernance.State.Voting; ++voted) {
            _asAdmin(voted);
            governance.vote(proposal, IBallots.Choice.Approve);
        }
        // More than half of all and as many as were asked for, or more than two thirds, which always do.
        bool enough = voted * 3 > count * 2 || (!critical && voted * 2 > count && voted * 10_000 >= count * threshold);
        bool accepted = governance.stateOf(proposal) == IGovernance.State.Waiting;
        vm.assertTrue(accepted == enough, "accepted");
        vm.assertTrue(accepted || voted == approvals, "nobody was kept from voting");
    }

    function testFuzz_ExecutionHasItsTime(uint256 timelock, uint256 window, uint256 wait) external {
        _found(4, false);
        timelock = 1 hours + timelock % (30 days - 1 hours);
        window = 1 hours + window % (90 days - 1 hours);
        _governing();
        parameters.setVotingRule(IParameters.Parameter.Timelock, timelock);
        _governing();
        parameters.setVotingRule(IParameters.Parameter.ExecutionWindow, window);

        uint256 proposal = _propose(false);
        for (uint256 i = 0; i < 3; ++i) {
            _asAdmin(i);
            governance.vote(proposal, IBallots.Choice.Approve);
        }
        // Anywhere, and often at one of the four seconds about the ends.
        uint256[4] memory edges = [timelock - 1, timelock, timelock + window - 1, timelock + window];
        wait = wait % 2 == 0 ? edges[(wait / 2) % 4] : wait % (timelock + window + 1 days);
        _pass(wait);
        (bool ok,) = SystemAddresses.GOVERNANCE.call(abi.encodeCall(IGovernance.execute, (proposal)));
        vm.assertTrue(ok == (wait >= timelock && wait < timelock + window), "neither early nor late");
        (bool again,) = SystemAddresses.GOVERNANCE.call(abi.encodeCall(IGovernance.execute, (proposal)));
        vm.assertTrue(!again, "nor twice");
    }

    /// @dev No bytes make an action reach anything but its own function.
    function testFuzz_ArgumentsDoNotChooseTheCall(uint8 kind, bytes calldata arguments) external {
        _found(1, true);
        kind %= uint8(type(IGovernance.Kind).max) + 1;
        IGovernance.Action memory action = IGovernance.Action(IGovernance.Kind(kind), arguments);
        IGovernance.Action memory bare = IGovernance.Action(IGovernance.Kind(kind), "");
        (address target, bytes memory data, bool critical) = governance.callOf(action);
        (address bareTarget, bytes memory selector, bool bareCritical) = governance.callOf(bare);
        vm.assertEq(target, bareTarget, "target");
        vm.assertEq(data, bytes.concat(selector, arguments), "call");
        vm.assertTrue(critical == bareCritical, "majority");
        vm.assertTrue(SystemAddresses.isGoverning(target) && target != SystemAddresses.GOVERNANCE, "system contract");
    }

    function _propose(bool critical) private returns (uint256 proposal) {
        IGovernance.Action[] memory actions = new IGovernance.Action[](1);
        actions[0] = critical
            ? IGovernance.Action(IGovernance.Kind.SetValidatorLimit, abi.encode(_org(0), 3))
            : IGovernance.Action(IGovernance.Kind.SetLimit, abi.encode(IParameters.Parameter.BlockGap, 7));
        _asAdmin(0);
        return governance.propose(actions, "");
    }
}
