// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IMembers} from "../../src/interfaces/IMembers.sol";
import {SystemTest} from "../base/SystemTest.sol";

/// @title MembersModel
/// @notice Says what `Members` must allow and what must stand afterwards, from the words of `IMembers` alone. It keeps no
/// counter and no list: whatever it needs it counts from who owns what.
///
/// Small pools make clashes common: 8 organizations of which 5 found the network, 14 accounts, 20 keys.
abstract contract MembersModel is SystemTest {
    uint256 internal constant ORGANIZATIONS = 8;
    uint256 internal constant ACCOUNTS = 14;
    uint256 internal constant KEYS = 20;
    uint256 internal constant FOUNDERS = 5;

    struct OrganizationModel {
        IMembers.Status status;
        uint256 limit;
    }

    /// @dev Owners are indices plus one; 0 is nobody.
    struct AccountModel {
        uint256 owner;
        uint8 permissions;
    }

    struct NodeModel {
        uint256 owner;
        IMembers.Role role;
    }

    OrganizationModel[8] internal organizationModels;
    AccountModel[14] internal accountModels;
    NodeModel[20] internal nodeModels;

    function _foundModel() internal {
        _found(FOUNDERS, false);
        for (uint256 i = 0; i < FOUNDERS; ++i) {
            organizationModels[i] = OrganizationModel(IMembers.Status.Active, 2);
            accountModels[i] = AccountModel(i + 1, ALL);
            nodeModels[i] = NodeModel(i + 1, IMembers.Role.Validator);
        }
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Rules: each says whether a call must pass, and if so what changes
    // ---------------------------------------------------------------------------------------------------------------

    function _expectAdd(uint256 organization, uint256 administrator, uint256 limit) internal returns (bool allowed) {
        if (organizationModels[organization].status != IMembers.Status.None) return false;
        if (_ownerOf(administrator) != 0) return false;
        organizationModels[organization] = OrganizationModel(IMembers.Status.Active, limit);
        accountModels[administrator] = AccountModel(organization + 1, ALL);
        return true;
    }

    function _expectSuspend(uint256 organization) internal returns (bool allowed) {
        if (organizationModels[organization].status != IMembers.Status.Active || _activeCount() == 1) return false;
        organizationModels[organization].status = IMembers.Status.Suspended;
        return true;
    }

    function _expectReinstate(uint256 organization) internal returns (bool allowed) {
        if (organizationModels[organization].status != IMembers.Status.Suspended) return false;
        organizationModels[organization].status = IMembers.Status.Active;
        return true;
    }

    function _expectRemove(uint256 organization) internal returns (bool allowed) {
        if (!_stands(organization)) return false;
        uint256 own = _validatorCount(organization + 1);
        if (own != 0 && _validatorCount(0) - own < 4) return false;
        if (organizationModels[organization].status == IMembers.Status.Active && _activeCount() == 1) return false;
        organizationModels[organization].status = IMembers.Status.Removed;
        for (uint256 i = 0; i < KEYS; ++i) {
            if (nodeModels[i].owner == organization + 1) delete nodeModels[i];
        }
        return true;
    }

    function _expectLimit(uint256 organization, uint256 limit) internal returns (bool allowed) {
        if (!_stands(organization)) return false;
        uint256 own = _validatorCount(organization + 1);
        if (own > limit && _validatorCount(0) - (own - limit) < 4) return false;
        organizationModels[organization].limit = limit;
        for (; own > limit; --own) {
            nodeModels[_highestValidator(organization + 1)].role = IMembers.Role.Observer;
        }
        return true;
    }

    function _expectAppoint(uint256 organization, uint256 account) internal returns (bool allowed) {
        if (!_stands(organization)) return false;
        if (_ownerOf(account) != 0 && _ownerOf(account) != organization + 1) return false;
        accountModels[account] = AccountModel(organization + 1, ALL);
        return true;
    }

    function _expectSetAccount(uint256 sender, uint256 account, uint8 permissions) internal returns (bool allowed) {
        if (!_administers(sender) || permissions > ALL) return false;
        uint256 owner = _ownerOf(account);
        if (owner == 0 ? permissions == 0 : owner != _ownerOf(sender)) return false;
        return _expectAccount(_ownerOf(sender), account, permissions);
    }

    function _expectQuit(uint256 sender) internal returns (bool allowed) {
        return _ownerOf(sender) != 0 && _expectAccount(_ownerOf(sender), sender, 0);
    }

    function _expectSetNode(uint256 sender, uint256 key, IMembers.Role role) internal returns (bool allowed) {
        if (!_administers(sender)) return false;
        uint256 owner = _ownerOf(sender);
        NodeModel storage node = nodeModels[key];
        if (node.owner == 0 ? role == IMembers.Role.None : node.owner != owner) return false;
        if (node.owner == 0 && _nodeCount(owner) == 16) return false;
        bool validates = node.role == IMembers.Role.Validator;
        if (role == IMembers.Role.Validator && !validates) {
            if (_validatorCount(owner) >= organizationModels[owner - 1].limit || _validatorCount(0) == 32) {
                return false;
            }
        }
        if (role != IMembers.Role.Validator && validates && _validatorCount(0) <= 4) return false;
        nodeModels[key] = NodeModel(role == IMembers.Role.None ? 0 : owner, role);
        return true;
    }

    function _expectReplace(uint256 sender, uint256 key, uint256 successor) internal returns (bool allowed) {
        if (!_administers(sender) || nodeModels[key].owner != _ownerOf(sender)) return false;
        if (nodeModels[successor].owner != 0) return false;
        nodeModels[successor] = nodeModels[key];
        delete nodeModels[key];
        return true;
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Comparison
    // ---------------------------------------------------------------------------------------------------------------

    /// @dev Compares all of `Members` with the model.
    function _assertMembers() internal view {
        for (uint256 i = 0; i < ORGANIZATIONS; ++i) {
            _assertOrganization(i);
        }
        for (uint256 i = 0; i < ACCOUNTS; ++i) {
            uint256 owner = _ownerOf(i);
            bytes32 organization = owner == 0 ? bytes32(0) : _org(owner - 1);
            uint8 permissions = owner == 0 ? 0 : accountModels[i].permissions;
            vm.assertEq(members.organizationOf(_admin(i)), organization, "organization of an account");
            vm.assertEq(members.permissionsOf(_admin(i)), permissions, "permissions");
            bool acts = owner != 0 && organizationModels[owner - 1].status == IMembers.Status.Active;
            for (uint8 j = 0; j < 3; ++j) {
                bool may = members.may(_admin(i), IMembers.Permission(j));
                vm.assertTrue(may == (acts && permissions / (2 ** j) % 2 == 1), "may");
            }
        }
        _assertNodes();
    }

    function _assertOrganization(uint256 index) private view {
        IMembers.Organization memory found = members.organizationAt(_org(index));
        vm.assertTrue(found.status == organizationModels[index].status, "status");
        if (!_stands(index)) return;
        vm.assertEq(found.validatorLimit, organizationModels[index].limit, "limit");
        vm.assertEq(found.validators, _validatorCount(index + 1), "validators");
        vm.assertEq(found.nodes, _nodeCount(index + 1), "nodes");
        vm.assertEq(members.nodesOf(_org(index)).length, _nodeCount(index + 1), "list of nodes");
        vm.assertEq(found.administrators, _administratorCount(index + 1), "administrators");
        vm.assertEq(found.accounts, _accountCount(index + 1), "accounts");
    }

    function _assertNodes() private view {
        bytes32[] memory validators = members.validators();
        vm.assertEq(validators.length, _validatorCount(0), "number of validators");
        for (uint256 i = 0; i < validators.length; ++i) {
            vm.assertTrue(i == 0 || validators[i - 1] < validators[i], "ascending");
        }
        for (uint256 i = 0; i < KEYS; ++i) {
            IMembers.Node memory node = members.nodeAt(_key(i));
            uint256 owner = nodeModels[i].owner;
            vm.assertEq(node.organization, owner == 0 ? bytes32(0) : _org(owner - 1), "organization of a node");
            vm.assertTrue(node.role == nodeModels[i].role, "role");
            bool listed = false;
            for (uint256 j = 0; j < validators.length; ++j) {
                listed = listed || validators[j] == _key(i);
            }
            vm.assertTrue(listed == (node.role == IMembers.Role.Validator), "listed when it validates");
        }
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Counting
    // ---------------------------------------------------------------------------------------------------------------

    function _stands(uint256 organization) internal view returns (bool) {
        IMembers.Status status = organizationModels[organization].status;
        return status == IMembers.Status.Active || status == IMembers.Status.Suspended;
    }

    function _ownerOf(uint256 account) internal view returns (uint256 owner) {
        owner = accountModels[account].owner;
        if (owner != 0 && !_stands(owner - 1)) return 0;
    }

    function _administers(uint256 account) internal view returns (bool) {
        uint256 owner = _ownerOf(account);
        return owner != 0 && organizationModels[owner - 1].status == IMembers.Status.Active
            && accountModels[account].permissions >= ADMINISTER;
    }

    function _activeCount() internal view returns (uint256 count) {
        for (uint256 i = 0; i < ORGANIZATIONS; ++i) {
            if (organizationModels[i].status == IMembers.Status.Active) ++count;
        }
    }

    function _administratorCount(uint256 owner) internal view returns (uint256 count) {
        for (uint256 i = 0; i < ACCOUNTS; ++i) {
            if (_ownerOf(i) == owner && accountModels[i].permissions >= ADMINISTER) ++count;
        }
    }

    function _accountCount(uint256 owner) internal view returns (uint256 count) {
        for (uint256 i = 0; i < ACCOUNTS; ++i) {
            if (_ownerOf(i) == owner) ++count;
        }
    }

    function _nodeCount(uint256 owner) internal view returns (uint256 count) {
        for (uint256 i = 0; i < KEYS; ++i) {
            if (nodeModels[i].owner == owner) ++count;
        }
    }

    /// @dev Of one organization, or of all for owner 0.
    function _validatorCount(uint256 owner) internal view returns (uint256 count) {
        for (uint256 i = 0; i < KEYS; ++i) {
            if (nodeModels[i].role != IMembers.Role.Validator) continue;
            if (owner == 0 || nodeModels[i].owner == owner) ++count;
        }
    }

    function _highestValidator(uint256 owner) private view returns (uint256 highest) {
        highest = type(uint256).max;
        for (uint256 i = 0; i < KEYS; ++i) {
            if (nodeModels[i].owner != owner || nodeModels[i].role != IMembers.Role.Validator) continue;
            if (highest == type(uint256).max || _key(i) > _key(highest)) highest = i;
        }
    }

    function _expectAccount(uint256 owner, uint256 account, uint8 permissions) private returns (bool allowed) {
        bool wasLast = _ownerOf(account) == owner && accountModels[account].permissions >= ADMINISTER
            && _administratorCount(owner) == 1;
        if (wasLast && permissions < ADMINISTER) return false;
        accountModels[account] = AccountModel(permissions == 0 ? 0 : owner, permissions);
        return true;
    }
}
