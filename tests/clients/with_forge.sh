#!/usr/bin/env bash
# forge create and forge script, as a user of the project in contracts/fixtures types them.
set -uo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/checks.sh"

sender=$(cast wallet address --private-key "$ASHLAR_KEY")
recipient=$(stranger)

forge() { # COMMAND [OPTION...]
  local command=$1
  shift
  FOUNDRY_PROFILE=fixtures "$contracts/forge.mjs" "$command" --rpc-url "$ASHLAR_RPC" "$@"
}

create() {
  forge create FixtureToken --broadcast --private-key "$ASHLAR_KEY" "$@" --constructor-args Fixture FIX 1000000
}

created() { # [OPTION...]
  local output address hash
  output=$(create "$@")
  address=$(awk '/^Deployed to:/ { print $3 }' <<<"$output")
  hash=$(awk '/^Transaction hash:/ { print $3 }' <<<"$output")
  equal "$(cast receipt "$hash" status)" true
  equal "$(cast to-check-sum-address "$(cast receipt "$hash" contractAddress)")" "$address"
  equal "$(cast call "$address" 'balanceOf(address)(uint256)' "$sender" | cut -d' ' -f1)" 1000000
  equal "$(cast code "$address")" "$(artifact FixtureToken deployedBytecode)"
}

artifact() { # CONTRACT FIELD
  node -p 'JSON.parse(require("fs").readFileSync(process.argv[1]))[process.argv[2]].object' \
    "$ASHLAR_ARTIFACTS/$1.sol/$1.json" "$2"
}

dry_run() {
  local before
  before=$(cast nonce "$sender")
  forge create FixtureToken --private-key "$ASHLAR_KEY" --constructor-args Fixture FIX 1
  equal "$(cast nonce "$sender")" "$before"
}

script() { # OPTION...
  forge script fixtures/script/DeployFixtureToken.s.sol --sig 'run(address,uint256)' "$recipient" 500 \
    --private-key "$ASHLAR_KEY" "$@"
}

simulated() {
  local before
  before=$(cast nonce "$sender")
  script
  equal "$(cast nonce "$sender")" "$before"
}

# The value of an expression about the last broadcast of a script's function.
last() { # SCRIPT FUNCTION EXPRESSION
  node -p 'run = JSON.parse(require("fs").readFileSync(process.argv[1])); eval(process.argv[2])' \
    "$contracts/broadcast/$1.s.sol/$chain_id/$2-latest.json" "$3"
}

broadcast() {
  local address
  script --broadcast --slow
  address=$(last DeployFixtureToken run 'run.transactions[0].contractAddress')
  equal "$(last DeployFixtureToken run 'run.receipts.map(r => r.status).join()')" 0x1,0x1
  equal "$(cast code "$address")" "$(artifact FixtureToken deployedBytecode)"
  equal "$(cast call "$address" 'balanceOf(address)(uint256)' "$recipient")" 500
}

box_script() { # SIGNATURE OPTION...
  forge script fixtures/script/DeployFixtureBox.s.sol --private-key "$ASHLAR_KEY" --broadcast --sig "$@"
}

all_at_once() {
  local box
  box_script 'run(address,uint256)' "$sender" 5
  equal "$(last DeployFixtureBox run 'run.receipts.map(r => r.status).join()')" 0x1,0x1,0x1,0x1,0x1
  box=$(last DeployFixtureBox run 'run.transactions[1].contractAddress')
  equal "$(cast call "$box" 'version()(uint256)')" 2
  equal "$(cast call "$box" 'value()(uint256)')" 16
  equal "$(cast call "$box" 'owner()(address)')" "$sender"
}

resumed() {
  # Nothing is left to be sent.
  local before
  before=$(cast nonce "$sender")
  box_script 'run(address,uint256)' "$sender" 5 --resume
  equal "$(cast nonce "$sender")" "$before"
}

by_salt() {
  # The deployer of CREATE2 that every tool knows came to other chains in a transaction without a chain id, which nodes no
  # longer take by default; forge uses the same code at another address when it is told.
  local deployer code salt hash box
  code=7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3
  hash=$(cast send --async --private-key "$ASHLAR_KEY" --create "0x604580600e600039806000f350fe$code")
  deployer=$(cast receipt "$hash" contractAddress)
  equal "$(cast code "$deployer")" "0x$code"
  salt=$(cast keccak "$recipient")
  box_script 'runWithSalt(bytes32)' "$salt" --create2-deployer "$deployer"
  box=$(last DeployFixtureBox runWithSalt 'run.transactions[0].contractAddress')
  equal "$(cast to-check-sum-address "$box")" "$(cast create2 --deployer "$deployer" --salt "$salt" \
    --init-code "$(artifact FixtureBox bytecode)" | awk '/0x/ { print $NF; exit }')"
  equal "$(cast call "$box" 'version()(uint256)')" 1
}

without_funds() {
  local key
  key=$(cast keccak "$recipient")
  refused 'insufficient funds|lack of funds' \
    forge create FixtureToken --broadcast --private-key "$key" --value 0 --gas-limit 3000000 --gas-price 1gwei --legacy \
    --constructor-args Fixture FIX 1
}

reverting_script() {
  # More than the supply: the simulation must stop before anything is sent.
  local before
  before=$(cast nonce "$sender")
  refused 'ERC20InsufficientBalance' \
    forge script fixtures/script/DeployFixtureToken.s.sol --sig 'run(address,uint256)' "$recipient" \
    "$(cast max-uint)" --private-key "$ASHLAR_KEY" --broadcast
  equal "$(cast nonce "$sender")" "$before"
}

essential "forge create" created
check "forge create with a legacy transaction" created --legacy
check "forge create without --broadcast sends nothing" dry_run
check "forge script without --broadcast sends nothing" simulated
check "forge script --broadcast" broadcast
check "forge script --broadcast sends dependent transactions at once" all_at_once
check "forge script --resume has nothing to send" resumed
check "forge script creates by salt (CREATE2)" by_salt
check "a reverting script sends nothing" reverting_script
check "insufficient funds are refused" without_funds
finish
