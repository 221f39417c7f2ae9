// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {IMembers} from "../src/interfaces/IMembers.sol";
import {SystemAddresses} from "../src/libraries/SystemAddresses.sol";
import {SystemTest} from "./base/SystemTest.sol";

/// @title MembersTest
/// @notice One rule of `IMembers` per test. Five organizations with one validator each, limit two.
contract MembersTest is SystemTest {
    function setUp() external {
        _found(5, false);
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Genesis
    // ---------------------------------------------------------------------------------------------------------------

    function test_GenesisStorageIsReadAsWritten() external view {
        vm.assertEq(members.organizations().length, 5, "organizations");
        vm.assertEq(members.organizations()[4], _org(4), "their ids");
        IMembers.Organization memory found = members.organizationAt(_org(3));
        vm.assertTrue(found.status == IMembers.Status.Active, "active");
        vm.assertEq(found.validatorLimit, 2, "limit");
        vm.assertEq(found.validators, 1, "validators");
        vm.assertEq(found.nodes, 1, "nodes");
        vm.assertEq(found.administrators, 1, "administrators");
        vm.assertEq(found.accounts, 1, "accounts");
        vm.assertEq(bytes(found.name), "founder", "name");
        vm.assertEq(members.organizationOf(_admin(3)), _org(3), "account");
        vm.assertEq(members.permissionsOf(_admin(3)), ALL, "permissions");
        vm.assertEq(members.nodeAt(_key(3)).organization, _org(3), "node");
        vm.assertTrue(members.nodeAt(_key(3)).role == IMembers.Role.Validator, "role");
        vm.assertEq(members.nodesOf(_org(3))[0], _key(3), "nodes of the organization");
        vm.assertTrue(members.wasActive(_org(3), 0), "from genesis on");
        vm.assertEq(members.activeAt(0), 5, "all of them");
        vm.assertTrue(!members.isDev() && !members.isOpen(), "flags");
        vm.assertTrue(members.policy() == IMembers.Policy.Permissioned, "policy");
    }

    function test_GenesisFlagsAreReadAsWritten() external {
        _foundAs(1, true, true, IMembers.Policy.Bonded);
        vm.assertTrue(members.isDev() && members.isOpen(), "flags");
        vm.assertTrue(members.policy() == IMembers.Policy.Bonded, "policy");
    }

    function test_ValidatorsAscend() external view {
        _assertAscending(5);
    }

    function test_CommittedArtifactIsThisContract() external view {
        _assertArtifact(SystemAddresses.MEMBERS, "artifacts/Members.json");
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Organizations
    // ---------------------------------------------------------------------------------------------------------------

    function test_AddedOrganizationIsActiveWithOneAccount() external {
        vm.expectEmit(SystemAddresses.MEMBERS);
        emit IMembers.OrganizationAdded(_org(9), "Nine");
        vm.expectEmit(SystemAddresses.MEMBERS);
        emit IMembers.ValidatorLimitSet(_org(9), 3);
        vm.expectEmit(SystemAddresses.MEMBERS);
        emit IMembers.AccountSet(_org(9), _admin(9), ALL);
        _add(9);

        vm.assertTrue(members.may(_admin(9), IMembers.Permission.Administer), "administers at once");
        vm.assertEq(members.organizationAt(_org(9)).accounts, 1, "one account");
        vm.assertEq(members.organizations().length, 6, "listed");
    }

    function test_ActivityCountsFromTheEndOfTheBlock() external {
        uint256 height = vm.getBlockNumber();
        _add(9);
        _nextBlock();
        vm.assertTrue(!members.wasActive(_org(9), height - 1), "not before");
        vm.assertTrue(members.wasActive(_org(9), height), "from that block on");
        vm.assertEq(members.activeAt(height - 1), 5, "five before");
        vm.assertEq(members.activeAt(height), 6, "six after");
    }

    function test_RunningBlockIsNotOver() external {
        vm.expectRevert(abi.encodeWithSelector(IMembers.HeightNotOver.selector, 10));
        members.activeAt(10);
        vm.expectRevert(abi.encodeWithSelector(IMembers.HeightNotOver.selector, 10));
        members.wasActive(_org(0), 10);
    }

    function test_OrganizationIdIsUsedOnce() external {
        _governing();
        vm.expectRevert(abi.encodeWithSelector(IMembers.WrongStatus.selector, _org(1), IMembers.Status.Active));
        members.addOrganization(_org(1), "again", _admin(9), 1);

        _governing();
        members.removeOrganization(_org(1));
        _governing();
        vm.expectRevert(abi.encodeWithSelector(IMembers.WrongStatus.selector, _org(1), IMembers.Status.Removed));
        members.addOrganization(_org(1), "again", _admin(9), 1);
    }

    function test_MalformedOrganizationIsRefused() external {
        _governing();
        vm.expectRevert(abi.encodeWithSelector(IMembers.ZeroOrganization.selector));
        members.addOrganization(0, "zero", _admin(9), 1);
        _governing();
        vm.expectRevert(abi.encodeWithSelector(IMembers.InvalidName.selector, 0));
        members.addOrganization(_org(9), "", _admin(9), 1);
        _governing();
        vm.expectRevert(abi.encodeWithSelector(IMembers.InvalidName.selector, 32));
        members.addOrganization(_org(9), "12345678901234567890123456789012", _admin(9), 1);
        _governing();
        vm.expectRevert(abi.encodeWithSelector(IMembers.ZeroAccount.selector));
        members.addOrganization(_org(9), "nobody", address(0), 1);
        _governing();
        vm.expectRevert(abi.encodeWithSelector(IMembers.AccountTaken.selector, _admin(1), _org(1)));
        members.addOrganization(_org(9), "taken", _admin(1), 1);
    }

    function test_OrganizationsAreBounded() external {
        for (uint256 i = 5; i < 128; ++i) {
            _add(i);
        }
        _governing();
        vm.expectRevert(abi.encodeWithSelector(IMembers.TooManyOrganizations.selector, 128));
        members.addOrganization(_org(128), "one too many", _admin(128), 1);
    }

    function test_SuspensionTakesVoteAndRightsAndLeavesValidators() external {
        vm.expectEmit(SystemAddresses.MEMBERS);
        emit IMembers.OrganizationSuspended(_org(1));
        _governing();
        members.suspendOrganization(_org(1));

        _nextBlock();
        vm.assertTrue(!members.wasActive(_org(1), 10), "no vote");
        vm.assertEq(members.activeAt(10), 4, "not counted");
        vm.assertTrue(!members.may(_admin(1), IMembers.Permission.Transact), "no rights");
        vm.assertEq(members.organizationOf(_admin(1)), _org(1), "still its account");
        vm.assertEq(members.validators().length, 5, "validators go on");
        _asAdmin(1);
        vm.expectRevert(abi.encodeWithSelector(IMembers.NotAdministrator.selector, _admin(1)));
        members.setAccount(_account(1), TRANSACT);
    }

    function test_ReinstatementGivesThemBack() external {
        _governing();
        members.suspendOrganization(_org(1));
        vm.expectEmit(SystemAddresses.MEMBERS);
        emit IMembers.OrganizationReinstated(_org(1));
        _governing();
        members.reinstateOrganization(_org(1));
        _nextBlock();
        vm.assertTrue(members.wasActive(_org(1), 10), "the last word of a block counts");
        vm.assertTrue(members.may(_admin(1), IMembers.Permission.Administer), "rights");
    }

    function test_SuspensionAndReinstatementFollowEachOther() external {
        _governing();
        vm.expectRevert(abi.encodeWithSelector(IMembers.WrongStatus.selector, _org(1), IMembers.Status.Active));
        members.reinstateOrganization(_org(1));
        _governing();
        members.suspendOrganization(_org(1));
        _governing();
        vm.expectRevert(abi.encodeWithSelector(IMembers.WrongStatus.selector, _org(1), IMembers.Status.Suspended));
        members.suspendOrganization(_org(1));
    }

    function test_RemovalFreesAccountsAndNodes() external {
        vm.expectEmit(SystemAddresses.MEMBERS);
        emit IMembers.ValidatorsChanged(_key(1), false, 4);
        vm.expectEmit(SystemAddresses.MEMBERS);
        emit IMembers.NodeSet(_org(1), _key(1), IMembers.Role.None);
        vm.expectEmit(SystemAddresses.MEMBERS);
        emit IMembers.OrganizationRemoved(_org(1));
        _governing();
        members.removeOrganization(_org(1));

        vm.assertEq(members.organizations().length, 4, "not listed");
        vm.assertEq(members.organizationOf(_admin(1)), 0, "account is free");
        vm.assertEq(members.permissionsOf(_admin(1)), 0, "and may do nothing");
        vm.assertEq(members.nodesOf(_org(1)).length, 0, "no nodes");
        _asAdmin(2);
        members.setAccount(_admin(1), TRANSACT);
        vm.assertEq(members.organizationOf(_admin(1)), _org(2), "adopted");
        _asAdmin(2);
        members.setNode(_key(1), IMembers.Role.Validator);
        vm.assertEq(members.nodeAt(_key(1)).organization, _org(2), "so is the node");
    }

    function test_SuspendedOrganizationCanBeRemoved() external {
        _governing();
        members.suspendOrganization(_org(1));
        _governing();
        members.removeOrganization(_org(1));
        _nextBlock();
        vm.assertEq(members.activeAt(10), 4, "counted out once");
    }

    function test_RemovedOrganizationCannotBeTouched() external {
        _governing();
        members.removeOrganization(_org(1));
        bytes memory wrong = abi.encodeWithSelector(IMembers.WrongStatus.selector, _org(1), IMembers.Status.Removed);
        _governing();
        vm.expectRevert(wrong);
        members.removeOrganization(_org(1));
        _governing();
        vm.expectRevert(wrong);
        members.setValidatorLimit(_org(1), 3);
        _governing();
        vm.expectRevert(wrong);
        members.appointAdministrator(_org(1), _account(1));
        _governing();
        vm.expectRevert(wrong);
        members.reinstateOrganization(_org(1));
    }

    function test_LastActiveOrganizationStays() external {
        _found(2, true);
        _governing();
        members.suspendOrganization(_org(0));
        _governing();
        vm.expectRevert(abi.encodeWithSelector(IMembers.LastOrganization.selector));
        members.suspendOrganization(_org(1));
        _governing();
        vm.expectRevert(abi.encodeWithSelector(IMembers.LastOrganization.selector));
        members.removeOrganization(_org(1));
    }

    function test_OnlyGovernanceGoverns() external {
        bytes memory refused = abi.encodeWithSelector(IGoverned.NotGovernance.selector, _admin(0));
        bytes[6] memory calls = [
            abi.encodeCall(IMembers.addOrganization, (_org(9), "nine", _admin(9), 1)),
            abi.encodeCall(IMembers.suspendOrganization, (_org(1))),
            abi.encodeCall(IMembers.reinstateOrganization, (_org(1))),
            abi.encodeCall(IMembers.removeOrganization, (_org(1))),
            abi.encodeCall(IMembers.setValidatorLimit, (_org(1), 9)),
            abi.encodeCall(IMembers.appointAdministrator, (_org(1), _account(1)))
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            _asAdmin(0);
            (bool ok, bytes memory reason) = address(members).call(calls[i]);
            vm.assertTrue(!ok, "refused");
            vm.assertEq(reason, refused, "reason");
        }
    }

    function test_LostKeysAreReplacedByGovernance() external {
        _governing();
        members.appointAdministrator(_org(1), _account(1));
        vm.assertTrue(members.may(_account(1), IMembers.Permission.Administer), "administers");
        vm.prank(_account(1));
        members.setAccount(_admin(1), 0);
        vm.assertEq(members.organizationOf(_admin(1)), 0, "the lost key is out");

        _governing();
        vm.expectRevert(abi.encodeWithSelector(IMembers.AccountTaken.selector, _admin(2), _org(2)));
        members.appointAdministrator(_org(1), _admin(2));
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Accounts
    // ---------------------------------------------------------------------------------------------------------------

    function test_PermissionsAreWhatWasSet() external {
        vm.expectEmit(SystemAddresses.MEMBERS);
        emit IMembers.AccountSet(_org(1), _account(1), TRANSACT | DEPLOY);
        _asAdmin(1);
        members.setAccount(_account(1), TRANSACT | DEPLOY);
        vm.assertTrue(members.may(_account(1), IMembers.Permission.Transact), "transacts");
        vm.assertTrue(members.may(_account(1), IMembers.Permission.Deploy), "deploys");
        vm.assertTrue(!members.may(_account(1), IMembers.Permission.Administer), "does not administer");
        vm.assertEq(members.organizationAt(_org(1)).accounts, 2, "two accounts");

        _asAdmin(1);
        members.setAccount(_account(1), DEPLOY);
        vm.assertTrue(!members.may(_account(1), IMembers.Permission.Transact), "no more");
        vm.assertEq(members.organizationAt(_org(1)).accounts, 2, "still two");
        _asAdmin(1);
        members.setAccount(_account(1), 0);
        vm.assertEq(members.organizationOf(_account(1)), 0, "gone");
        vm.assertEq(members.organizationAt(_org(1)).accounts, 1, "one");
    }

    function test_AccountBelongsToOneOrganization() external {
        _asAdmin(1);
        members.setAccount(_account(1), TRANSACT);
        for (uint8 permissions = 0; permissions <= ALL; ++permissions) {
            _asAdmin(2);
            vm.expectRevert(abi.encodeWithSelector(IMembers.AccountTaken.selector, _account(1), _org(1)));
            members.setAccount(_account(1), permissions);
        }
    }

    function test_LastAdministratorStays() external {
        bytes memory last = abi.encodeWithSelector(IMembers.LastAdministrator.selector, _org(1));
        _asAdmin(1);
        vm.expectRevert(last);
        members.setAccount(_admin(1), 0);
        _asAdmin(1);
        vm.expectRevert(last);
        members.setAccount(_admin(1), TRANSACT);
        _asAdmin(1);
        vm.expectRevert(last);
        members.quit();

        _asAdmin(1);
        members.setAccount(_account(1), ADMINISTER);
        _asAdmin(1);
        members.quit();
        vm.assertEq(members.organizationOf(_admin(1)), 0, "with a second one it may go");
    }

    function test_NobodyIsHeldAgainstItsWill() external {
        _asAdmin(1);
        members.setAccount(_account(1), DEPLOY);
        vm.prank(_account(1));
        members.quit();
        vm.assertEq(members.organizationOf(_account(1)), 0, "left");
        vm.prank(_account(1));
        vm.expectRevert(abi.encodeWithSelector(IMembers.UnknownAccount.selector, _account(1)));
        members.quit();
    }

    function test_OnlyAdministratorsManage() external {
        _asAdmin(1);
        members.setAccount(_account(1), TRANSACT | DEPLOY);
        bytes memory refused = abi.encodeWithSelector(IMembers.NotAdministrator.selector, _account(1));
        vm.prank(_account(1));
        vm.expectRevert(refused);
        members.setAccount(_account(2), TRANSACT);
        vm.prank(_account(1));
        vm.expectRevert(refused);
        members.setNode(_key(9), IMembers.Role.Observer);
        vm.prank(_account(1));
        vm.expectRevert(refused);
        members.replaceNode(_key(1), _key(9));
    }

    function test_MalformedAccountIsRefused() external {
        _asAdmin(1);
        vm.expectRevert(abi.encodeWithSelector(IMembers.InvalidPermissions.selector, 8));
        members.setAccount(_account(1), 8);
        _asAdmin(1);
        vm.expectRevert(abi.encodeWithSelector(IMembers.ZeroAccount.selector));
        members.setAccount(address(0), TRANSACT);
        _asAdmin(1);
        vm.expectRevert(abi.encodeWithSelector(IMembers.UnknownAccount.selector, _account(1)));
        members.setAccount(_account(1), 0);
    }

    function test_StrangersMayNothingUnlessTheNetworkIsOpen() external {
        vm.assertTrue(!members.may(_account(1), IMembers.Permission.Transact), "closed");
        _foundAs(4, false, true, IMembers.Policy.Permissioned);
        vm.assertTrue(members.may(_account(1), IMembers.Permission.Transact), "open");
        vm.assertTrue(members.may(_account(1), IMembers.Permission.Deploy), "open");
        vm.assertTrue(!members.may(_account(1), IMembers.Permission.Administer), "never this");
        _governing();
        members.suspendOrganization(_org(1));
        vm.assertTrue(!members.may(_admin(1), IMembers.Permission.Transact), "suspended is not a stranger");
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Nodes and validators
    // ---------------------------------------------------------------------------------------------------------------

    function test_ObserverBecomesValidatorWithinTheLimit() external {
        vm.expectEmit(SystemAddresses.MEMBERS);
        emit IMembers.NodeSet(_org(1), _key(9), IMembers.Role.Observer);
        _asAdmin(1);
        members.setNode(_key(9), IMembers.Role.Observer);
        vm.assertEq(members.validators().length, 5, "an observer does not validate");

        vm.expectEmit(SystemAddresses.MEMBERS);
        emit IMembers.ValidatorsChanged(_key(9), true, 6);
        _asAdmin(1);
        members.setNode(_key(9), IMembers.Role.Validator);
        _assertAscending(6);

        _asAdmin(1);
        vm.expectRevert(abi.encodeWithSelector(IMembers.TooManyValidators.selector, 2));
        members.setNode(_key(10), IMembers.Role.Validator);
    }

    function test_ChangesOfValidatorsAreRecordedWithTheirHeight() external {
        _asAdmin(1);
        members.setNode(_key(9), IMembers.Role.Validator);
        vm.roll(77);
        _asAdmin(2);
        members.setNode(_key(2), IMembers.Role.Observer);

        vm.assertEq(members.validatorChanges(), 2, "two");
        IMembers.ValidatorChange memory first = members.validatorChangeAt(0);
        vm.assertEq(first.key, _key(9), "first");
        vm.assertEq(first.height, 10, "at");
        vm.assertTrue(first.added, "added");
        IMembers.ValidatorChange memory second = members.validatorChangeAt(1);
        vm.assertEq(second.key, _key(2), "second");
        vm.assertEq(second.height, 77, "at");
        vm.assertTrue(!second.added, "removed");
    }

    function test_RepeatedRoleChangesNothing() external {
        _asAdmin(1);
        members.setNode(_key(1), IMembers.Role.Validator);
        vm.assertEq(members.validatorChanges(), 0, "nothing recorded");
    }

    function test_FourValidatorsStay() external {
        _asAdmin(1);
        members.setNode(_key(1), IMembers.Role.None);
        _assertAscending(4);
        vm.assertTrue(members.nodeAt(_key(1)).role == IMembers.Role.None, "gone");

        bytes memory few = abi.encodeWithSelector(IMembers.TooFewValidators.selector, 3, 4);
        _asAdmin(2);
        vm.expectRevert(few);
        members.setNode(_key(2), IMembers.Role.Observer);
        _asAdmin(2);
        vm.expectRevert(few);
        members.setNode(_key(2), IMembers.Role.None);
        _governing();
        vm.expectRevert(few);
        members.setValidatorLimit(_org(2), 0);
        _governing();
        vm.expectRevert(few);
        members.removeOrganization(_org(2));
    }

    function test_OneValidatorStaysInADevNetwork() external {
        _found(2, true);
        _asAdmin(0);
        members.setNode(_key(0), IMembers.Role.None);
        _asAdmin(1);
        vm.expectRevert(abi.encodeWithSelector(IMembers.TooFewValidators.selector, 0, 1));
        members.setNode(_key(1), IMembers.Role.None);
    }

    function test_BondedNetworkNeedsNoneHere() external {
        _foundAs(4, false, false, IMembers.Policy.Bonded);
        _asAdmin(0);
        members.setNode(_key(0), IMembers.Role.None);
        vm.assertEq(members.validators().length, 3, "Stake chooses");
    }

    function test_KeyIsReplacedEvenAmongFour() external {
        _found(4, false);
        _asAdmin(1);
        members.replaceNode(_key(1), _key(9));
        _assertAscending(4);
        vm.assertTrue(members.nodeAt(_key(9)).role == IMembers.Role.Validator, "in its role");
        vm.assertTrue(members.nodeAt(_key(1)).role == IMembers.Role.None, "given up");
        vm.assertEq(members.validatorChanges(), 2, "one out, one in");

        _asAdmin(1);
        members.setNode(_key(10), IMembers.Role.Observer);
        _asAdmin(1);
        members.replaceNode(_key(10), _key(11));
        vm.assertTrue(members.nodeAt(_key(11)).role == IMembers.Role.Observer, "an observer stays one");
    }

    function test_ReplacementNeedsAnOwnKeyAndAFreeOne() external {
        _asAdmin(1);
        vm.expectRevert(abi.encodeWithSelector(IMembers.UnknownNode.selector, _key(2)));
        members.replaceNode(_key(2), _key(9));
        _asAdmin(1);
        vm.expectRevert(abi.encodeWithSelector(IMembers.NodeTaken.selector, _key(2), _org(2)));
        members.replaceNode(_key(1), _key(2));
        _asAdmin(1);
        vm.expectRevert(abi.encodeWithSelector(IMembers.ZeroKey.selector));
        members.replaceNode(_key(1), 0);
    }

    function test_NodeBelongsToOneOrganization() external {
        _asAdmin(1);
        vm.expectRevert(abi.encodeWithSelector(IMembers.NodeTaken.selector, _key(2), _org(2)));
        members.setNode(_key(2), IMembers.Role.Observer);
        _asAdmin(1);
        vm.expectRevert(abi.encodeWithSelector(IMembers.NodeTaken.selector, _key(2), _org(2)));
        members.setNode(_key(2), IMembers.Role.None);
        _asAdmin(1);
        vm.expectRevert(abi.encodeWithSelector(IMembers.UnknownNode.selector, _key(9)));
        members.setNode(_key(9), IMembers.Role.None);
        _asAdmin(1);
        vm.expectRevert(abi.encodeWithSelector(IMembers.ZeroKey.selector));
        members.setNode(0, IMembers.Role.Observer);
    }

    function test_NodesOfAnOrganizationAreBounded() external {
        for (uint256 i = 1; i < 16; ++i) {
            _asAdmin(1);
            members.setNode(_key(100 + i), IMembers.Role.Observer);
        }
        _asAdmin(1);
        vm.expectRevert(abi.encodeWithSelector(IMembers.TooManyNodes.selector, 16));
        members.setNode(_key(200), IMembers.Role.Observer);
    }

    function test_ValidatorsAreBounded() external {
        for (uint256 organization = 0; organization < 2; ++organization) {
            _governing();
            members.setValidatorLimit(_org(organization), 100);
            for (uint256 i = 1; i < 15; ++i) {
                if (members.validators().length == 32) break;
                _asAdmin(organization);
                members.setNode(_key(100 * (organization + 1) + i), IMembers.Role.Validator);
            }
        }
        _assertAscending(32);
        _asAdmin(2);
        vm.expectRevert(abi.encodeWithSelector(IMembers.TooManyValidators.selector, 32));
        members.setNode(_key(300), IMembers.Role.Validator);
    }

    function test_LowerLimitTakesTheHighestKeys() external {
        _governing();
        members.setValidatorLimit(_org(1), 4);
        for (uint256 i = 0; i < 3; ++i) {
            _asAdmin(1);
            members.setNode(bytes32(i + 1), IMembers.Role.Validator);
        }
        _governing();
        members.setValidatorLimit(_org(1), 2);
        vm.assertTrue(members.nodeAt(bytes32(uint256(1))).role == IMembers.Role.Validator, "lowest stays");
        vm.assertTrue(members.nodeAt(bytes32(uint256(2))).role == IMembers.Role.Validator, "second stays");
        vm.assertTrue(members.nodeAt(bytes32(uint256(3))).role == IMembers.Role.Observer, "third observes");
        vm.assertTrue(members.nodeAt(_key(1)).role == IMembers.Role.Observer, "highest observes");
        vm.assertEq(members.organizationAt(_org(1)).nodes, 4, "all are still its nodes");
        _assertAscending(6);
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Helpers
    // ---------------------------------------------------------------------------------------------------------------

    function _add(uint256 index) private {
        _governing();
        members.addOrganization(_org(index), "Nine", _admin(index), 3);
    }

    function _assertAscending(uint256 count) private view {
        bytes32[] memory keys = members.validators();
        vm.assertEq(keys.length, count, "number of validators");
        for (uint256 i = 1; i < keys.length; ++i) {
            vm.assertTrue(keys[i - 1] < keys[i], "ascending");
        }
    }
}
