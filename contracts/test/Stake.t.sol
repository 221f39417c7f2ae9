// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IMembers} from "../src/interfaces/IMembers.sol";
import {IParameters} from "../src/interfaces/IParameters.sol";
import {IStake} from "../src/interfaces/IStake.sol";
import {SystemAddresses} from "../src/libraries/SystemAddresses.sol";
import {SystemTest} from "./base/SystemTest.sol";

/// @title Reentrant
/// @notice An owner that tries to withdraw twice.
contract Reentrant {
    IStake private immutable _STAKE;

    constructor(IStake stake) {
        _STAKE = stake;
    }

    receive() external payable {
        _STAKE.withdraw();
    }

    function bond(bytes32 key) external payable {
        _STAKE.bond{value: msg.value}(key);
    }

    function unbond(bytes32 key, uint256 amount) external {
        _STAKE.unbond(key, amount);
    }

    function withdraw() external {
        _STAKE.withdraw();
    }
}

/// @title StakeTest
/// @notice One rule of `IStake` per test. The owner of key `i` is account `i`.
contract StakeTest is SystemTest {
    uint256 private constant _PERIOD = 14 days;

    function setUp() external {
        _foundAs(4, false, true, IMembers.Policy.Bonded);
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Bonds
    // ---------------------------------------------------------------------------------------------------------------

    function test_FirstBondMakesACandidateAndFurtherOnesAdd() external {
        vm.expectEmit(SystemAddresses.STAKE);
        emit IStake.Bonded(_key(1), _account(1), 2 ether, 2 ether);
        _bond(1, 2 ether);
        vm.expectEmit(SystemAddresses.STAKE);
        emit IStake.Bonded(_key(1), _account(1), 1, 2 ether + 1);
        _bond(1, 1);
        IStake.Candidate memory found = stake.candidateAt(_key(1));
        vm.assertEq(found.key, _key(1), "key");
        vm.assertEq(found.owner, _account(1), "owner");
        vm.assertEq(found.bond, 2 ether + 1, "bond");
        vm.assertEq(stake.candidates().length, 1, "one");
        vm.assertEq(stake.candidateAt(_key(2)).owner, address(0), "no other");
        _assertTotals(2 ether + 1, 0);
    }

    function test_MalformedBondIsRefused() external {
        vm.deal(_account(1), 10 ether);
        vm.prank(_account(1));
        vm.expectRevert(abi.encodeWithSelector(IStake.ZeroKey.selector));
        stake.bond{value: 1 ether}(0);
        vm.prank(_account(1));
        vm.expectRevert(abi.encodeWithSelector(IStake.ZeroAmount.selector));
        stake.bond(_key(1));
        vm.prank(_account(1));
        vm.expectRevert(abi.encodeWithSelector(IStake.BondTooLow.selector, 1 ether - 1, 1 ether));
        stake.bond{value: 1 ether - 1}(_key(1));
        (bool ok,) = SystemAddresses.STAKE.call{value: 1}("");
        vm.assertTrue(!ok, "money without a key would be nobody's");
    }

    function test_CandidateHasOneOwner() external {
        _bond(1, 1 ether);
        vm.deal(_account(2), 1 ether);
        vm.prank(_account(2));
        vm.expectRevert(abi.encodeWithSelector(IStake.NotOwner.selector, _key(1), _account(2)));
        stake.bond{value: 1 ether}(_key(1));
        vm.prank(_account(2));
        vm.expectRevert(abi.encodeWithSelector(IStake.NotOwner.selector, _key(1), _account(2)));
        stake.unbond(_key(1), 1);
    }

    function test_PermissionedNetworkTakesNoBond() external {
        _found(4, false);
        vm.deal(_account(1), 1 ether);
        vm.prank(_account(1));
        vm.expectRevert(abi.encodeWithSelector(IStake.NotBonded.selector));
        stake.bond{value: 1 ether}(_key(1));
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Unbonding
    // ---------------------------------------------------------------------------------------------------------------

    function test_UnbondedIsHeldForThePeriod() external {
        _bondFive();
        vm.expectEmit(SystemAddresses.STAKE);
        emit IStake.Unbonded(_key(1), _account(1), 1 ether, 0, 1_000_000 + _PERIOD);
        _unbond(1, 1 ether);
        vm.assertEq(stake.candidates().length, 4, "gone");
        vm.assertEq(stake.candidateAt(_key(1)).owner, address(0), "free");
        vm.assertEq(stake.unbondingOf(_account(1)).amount, 1 ether, "held");
        _assertTotals(14 ether, 1 ether);

        _pass(_PERIOD - 1);
        vm.prank(_account(1));
        vm.expectRevert(abi.encodeWithSelector(IStake.TooEarly.selector, 1_000_000 + _PERIOD));
        stake.withdraw();
        _pass(1);
        vm.expectEmit(SystemAddresses.STAKE);
        emit IStake.Withdrawn(_account(1), 1 ether);
        vm.prank(_account(1));
        stake.withdraw();
        vm.assertEq(_account(1).balance, 1 ether, "paid");
        _assertTotals(14 ether, 0);
        vm.prank(_account(1));
        vm.expectRevert(abi.encodeWithSelector(IStake.NothingUnbonded.selector, _account(1)));
        stake.withdraw();
    }

    function test_PartOfABondLeavesTheMinimum() external {
        _bondFive();
        vm.prank(_account(2));
        vm.expectRevert(abi.encodeWithSelector(IStake.BondTooLow.selector, 1 ether - 1, 1 ether));
        stake.unbond(_key(2), 1 ether + 1);
        _unbond(2, 1 ether);
        vm.assertEq(stake.candidateAt(_key(2)).bond, 1 ether, "the minimum");
        vm.prank(_account(2));
        vm.expectRevert(abi.encodeWithSelector(IStake.NotEnough.selector, 1 ether, 1 ether + 1));
        stake.unbond(_key(2), 1 ether + 1);
        vm.prank(_account(2));
        vm.expectRevert(abi.encodeWithSelector(IStake.ZeroAmount.selector));
        stake.unbond(_key(2), 0);
        vm.expectRevert(abi.encodeWithSelector(IStake.UnknownCandidate.selector, _key(9)));
        stake.unbond(_key(9), 1);
    }

    function test_UnbondingAgainAddsAndBeginsAnew() external {
        _bondFive();
        _unbond(5, 1 ether);
        _pass(1 days);
        _unbond(5, 2 ether);
        IStake.Unbonding memory held = stake.unbondingOf(_account(5));
        vm.assertEq(held.amount, 3 ether, "both");
        vm.assertEq(held.releasedAt, 1_000_000 + 1 days + _PERIOD, "anew");
    }

    function test_LastFourStay() external {
        _bondFive();
        _unbond(1, 1 ether);
        vm.prank(_account(2));
        vm.expectRevert(abi.encodeWithSelector(IStake.TooFewCandidates.selector, 3, 4));
        stake.unbond(_key(2), 2 ether);
    }

    function test_LastOneStaysInADevNetwork() external {
        _foundAs(1, true, true, IMembers.Policy.Bonded);
        _bond(1, 1 ether);
        _bond(2, 1 ether);
        _unbond(1, 1 ether);
        vm.prank(_account(2));
        vm.expectRevert(abi.encodeWithSelector(IStake.TooFewCandidates.selector, 0, 1));
        stake.unbond(_key(2), 1 ether);
    }

    function test_NobodyWithdrawsTwice() external {
        _bondFive();
        Reentrant owner = new Reentrant(stake);
        vm.deal(address(this), 2 ether);
        owner.bond{value: 2 ether}(_key(6));
        owner.unbond(_key(6), 2 ether);
        _pass(_PERIOD);
        vm.expectRevert(abi.encodeWithSelector(IStake.TransferFailed.selector, address(owner)));
        owner.withdraw();
        _assertTotals(15 ether, 2 ether);
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Validators
    // ---------------------------------------------------------------------------------------------------------------

    function test_HighestBondsValidate() external {
        _bondFive();
        _governing();
        parameters.setLimit(IParameters.Parameter.StakeValidators, 4);
        bytes32[] memory keys = stake.validators();
        vm.assertEq(keys.length, 4, "as many as wanted");
        for (uint256 i = 0; i < 4; ++i) {
            vm.assertEq(keys[i], _key(5 - i), "highest first");
        }
        _bond(1, 9 ether);
        vm.assertEq(stake.validators()[0], _key(1), "now the highest");
    }

    function test_LowerKeyComesFirstAmongEquals() external {
        for (uint256 i = 1; i <= 4; ++i) {
            _bond(i, 1 ether);
        }
        bytes32[] memory keys = stake.validators();
        vm.assertEq(keys.length, 4, "all there are");
        for (uint256 i = 1; i < 4; ++i) {
            vm.assertTrue(keys[i - 1] < keys[i], "ascending");
        }
    }

    function test_HigherBondTakesThePlaceOfTheLowest() external {
        for (uint256 i = 1; i <= 128; ++i) {
            _bond(i, 1 ether + i);
        }
        vm.deal(_account(200), 1 ether + 1);
        vm.prank(_account(200));
        vm.expectRevert(abi.encodeWithSelector(IStake.BondTooLow.selector, 1 ether + 1, 1 ether + 2));
        stake.bond{value: 1 ether + 1}(_key(200));

        vm.expectEmit(SystemAddresses.STAKE);
        emit IStake.Unbonded(_key(1), _account(1), 1 ether + 1, 0, 1_000_000 + _PERIOD);
        vm.expectEmit(SystemAddresses.STAKE);
        emit IStake.Bonded(_key(200), _account(200), 1 ether + 2, 1 ether + 2);
        _bond(200, 1 ether + 2);
        vm.assertEq(stake.candidates().length, 128, "as many as before");
        vm.assertEq(stake.unbondingOf(_account(1)).amount, 1 ether + 1, "its money is its own");
        vm.assertEq(stake.candidateAt(_key(128)).bond, 1 ether + 128, "who moved is still found");
        vm.assertEq(stake.validators().length, 32, "most there can be");

        // Two are the lowest now: the higher key of them ranks last, wherever it stands in the list.
        uint256 last = _key(2) > _key(200) ? 2 : 200;
        _bond(201, 1 ether + 3);
        vm.assertEq(stake.candidateAt(_key(last)).bond, 0, "out");
        vm.assertEq(stake.candidateAt(_key(202 - last)).bond, 1 ether + 2, "the other stays");
    }

    function test_CommittedArtifactIsThisContract() external view {
        _assertArtifact(SystemAddresses.STAKE, "artifacts/Stake.json");
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Helpers
    // ---------------------------------------------------------------------------------------------------------------

    /// @dev Candidate `i` with `i` ether, 15 together.
    function _bondFive() private {
        for (uint256 i = 1; i <= 5; ++i) {
            _bond(i, i * 1 ether);
        }
    }

    function _bond(uint256 index, uint256 amount) private {
        vm.deal(_account(index), amount);
        vm.prank(_account(index));
        stake.bond{value: amount}(_key(index));
    }

    function _unbond(uint256 index, uint256 amount) private {
        vm.prank(_account(index));
        stake.unbond(_key(index), amount);
    }

    function _assertTotals(uint256 wantedBonded, uint256 wantedUnbonding) private view {
        (uint256 bonded, uint256 unbonding) = stake.totals();
        vm.assertEq(bonded, wantedBonded, "bonded");
        vm.assertEq(unbonding, wantedUnbonding, "unbonding");
        vm.assertEq(SystemAddresses.STAKE.balance, bonded + unbonding, "balance");
    }
}
