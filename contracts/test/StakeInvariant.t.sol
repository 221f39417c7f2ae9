// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IMembers} from "../src/interfaces/IMembers.sol";
import {IParameters} from "../src/interfaces/IParameters.sol";
import {IStake} from "../src/interfaces/IStake.sol";
import {SystemAddresses} from "../src/libraries/SystemAddresses.sol";
import {SystemTest} from "./base/SystemTest.sol";
import {Test} from "./base/Test.sol";

/// @title StakeHandler
/// @notice What forge calls at random: six owners and ten keys, bonds of a few ether, a minimum that changes, and time. The
/// model knows of each key whose it is and what is bonded, of each owner what it has unbonded, and what left.
contract StakeHandler is SystemTest {
    uint256 private constant _OWNERS = 6;
    uint256 private constant _KEYS = 10;
    uint256 private constant _FUNDS = 1000 ether;

    /// @dev Owners are indices plus one; 0 is nobody.
    uint256[10] private _ownerOf;
    uint256[10] private _bondOf;
    uint256[6] private _unbondedBy;
    uint256[6] private _releasedAt;

    uint256 private _minimum = 1 ether;

    constructor() {
        _foundAs(4, false, true, IMembers.Policy.Bonded);
        for (uint256 i = 0; i < _OWNERS; ++i) {
            vm.deal(_account(i), _FUNDS);
        }
    }

    function bond(uint256 owner, uint256 key, uint256 amount) external {
        (owner, key, amount) = (owner % _OWNERS, key % _KEYS, amount % 5 ether);
        bool free = _ownerOf[key] == 0;
        bool allowed = amount != 0 && amount <= _account(owner).balance && (free || _ownerOf[key] == owner + 1)
            && _bondOf[key] + amount >= _minimum;
        if (allowed) {
            _ownerOf[key] = owner + 1;
            _bondOf[key] += amount;
        }
        if (amount > _account(owner).balance) amount = 0;
        _send(owner, amount, abi.encodeCall(IStake.bond, (_key(key))), allowed);
    }

    function unbond(uint256 owner, uint256 key, uint256 amount, bool all) external {
        (owner, key) = (owner % _OWNERS, key % _KEYS);
        amount = all ? _bondOf[key] : amount % 5 ether;
        bool leaves = amount == _bondOf[key];
        bool allowed = _ownerOf[key] == owner + 1 && amount != 0 && amount <= _bondOf[key];
        if (allowed) allowed = leaves ? _count() > 4 : _bondOf[key] - amount >= _minimum;
        if (allowed) {
            _bondOf[key] -= amount;
            if (leaves) _ownerOf[key] = 0;
            _unbondedBy[owner] += amount;
            _releasedAt[owner] = vm.getBlockTimestamp() + 14 days;
        }
        _send(owner, 0, abi.encodeCall(IStake.unbond, (_key(key), amount)), allowed);
    }

    function withdraw(uint256 owner) external {
        owner %= _OWNERS;
        bool allowed = _unbondedBy[owner] != 0 && vm.getBlockTimestamp() >= _releasedAt[owner];
        uint256 wanted = _account(owner).balance + (allowed ? _unbondedBy[owner] : 0);
        if (allowed) _unbondedBy[owner] = 0;
        _send(owner, 0, abi.encodeCall(IStake.withdraw, ()), allowed);
        vm.assertEq(_account(owner).balance, wanted, "paid what was unbonded");
    }

    function changeMinimum(uint256 minimum) external {
        _minimum = 1 + minimum % 4 ether;
        _governing();
        parameters.setLimit(IParameters.Parameter.StakeMinimum, _minimum);
    }

    function pass(uint256 owner, uint256 time) external {
        owner %= _OWNERS;
        // Often to the second an owner waits for, or the one before.
        if (time % 2 == 0 || _releasedAt[owner] <= vm.getBlockTimestamp()) _pass(time % 10 days);
        else vm.warp(_releasedAt[owner] - (time / 2) % 2);
    }

    /// @notice Fails unless every wei is where the model says, and the contract holds exactly the sum.
    function checkMoney() external view {
        uint256 bonded = 0;
        for (uint256 i = 0; i < _KEYS; ++i) {
            IStake.Candidate memory found = stake.candidateAt(_key(i));
            vm.assertEq(found.bond, _bondOf[i], "bond");
            vm.assertEq(found.owner, _ownerOf[i] == 0 ? address(0) : _account(_ownerOf[i] - 1), "owner");
            bonded += found.bond;
        }
        uint256 unbonding = 0;
        uint256 outside = 0;
        for (uint256 i = 0; i < _OWNERS; ++i) {
            vm.assertEq(stake.unbondingOf(_account(i)).amount, _unbondedBy[i], "unbonded");
            unbonding += _unbondedBy[i];
            outside += _account(i).balance;
        }
        (uint256 bondedTotal, uint256 unbondingTotal) = stake.totals();
        vm.assertEq(bondedTotal, bonded, "bonded in total");
        vm.assertEq(unbondingTotal, unbonding, "unbonding in total");
        vm.assertEq(SystemAddresses.STAKE.balance, bonded + unbonding, "accounting equals balance");
        vm.assertEq(outside + bonded + unbonding, _OWNERS * _FUNDS, "no wei is made or lost");
    }

    /// @notice Fails unless the validators are the highest bonds.
    function checkValidators() external view {
        bytes32[] memory keys = stake.validators();
        vm.assertEq(stake.candidates().length, _count(), "candidates");
        vm.assertEq(keys.length, _count(), "fewer than there may be: all of them");
        for (uint256 i = 1; i < keys.length; ++i) {
            uint256 higher = stake.candidateAt(keys[i - 1]).bond;
            uint256 lower = stake.candidateAt(keys[i]).bond;
            vm.assertTrue(higher > lower || (higher == lower && keys[i - 1] < keys[i]), "ranked");
        }
    }

    function _count() private view returns (uint256 count) {
        for (uint256 i = 0; i < _KEYS; ++i) {
            if (_ownerOf[i] != 0) ++count;
        }
    }

    function _send(uint256 owner, uint256 value, bytes memory data, bool allowed) private {
        vm.prank(_account(owner));
        (bool ok,) = SystemAddresses.STAKE.call{value: value}(data);
        vm.assertTrue(ok == allowed, allowed ? "must pass" : "must be refused");
    }
}

/// @title StakeInvariantTest
/// @notice What holds whoever bonds, leaves and withdraws.
contract StakeInvariantTest is Test {
    StakeHandler private _handler;

    function setUp() external {
        _handler = new StakeHandler();
    }

    /// @notice Read by forge: whom to call at random.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function invariant_AccountingEqualsBalance() external view {
        _handler.checkMoney();
    }

    function invariant_ValidatorsAreTheHighestBonds() external view {
        _handler.checkValidators();
    }
}
