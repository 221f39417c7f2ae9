#!/usr/bin/env bash
# Hardhat 3 with Ignition and viem, as a user of the project in hardhat/ types it.
set -uo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/checks.sh"

# No questions; and nothing is sent anywhere.
export CI=true HARDHAT_DISABLE_TELEMETRY=true HARDHAT_IGNITION_CONFIRM_DEPLOYMENT=false
project=$here/hardhat
module=ignition/modules/Shop.ts
rm -rf "$project/ignition/deployments"

hardhat() { # COMMAND [OPTION...]
  (cd "$project" && PATH=$modern_node:$PATH node node_modules/hardhat/dist/src/cli.js "$@")
}

ignite() { # DEPLOYMENT MODULE [OPTION...]
  hardhat ignition deploy "$2" --network ashlar --deployment-id "$1" "${@:3}"
}

# Where a deployment's contract is.
deployed() { # DEPLOYMENT FUTURE
  node -p 'JSON.parse(require("fs").readFileSync(process.argv[1]))[process.argv[2]]' \
    "$project/ignition/deployments/$1/deployed_addresses.json" "$2"
}

nonce() {
  cast nonce "$(cast wallet address --private-key "$ASHLAR_KEY")"
}

build() {
  hardhat build
}

deploy() {
  ignite main "$module"
  local points shop
  points=$(deployed main Points#Points)
  shop=$(deployed main Shop#Shop)
  equal "$(cast call "$shop" 'POINTS()(address)')" "$points"
  equal "$(cast call "$shop" 'stock()(uint256)')" 98
  equal "$(cast call "$points" 'balanceOf(address)(uint256)' "$shop")" 10
  # Sent on by the argument of an event.
  equal "$(cast call "$points" 'balanceOf(address)(uint256)' 0x000000000000000000000000000000000000dEaD)" 10
}

again() {
  local before
  before=$(nonce)
  ignite main "$module" | grep -q 'Nothing new to deploy' || fail "it deployed again"
  equal "$(nonce)" "$before"
}

continued() {
  local points
  ignite grown ignition/modules/Points.ts
  points=$(deployed grown Points#Points)
  ignite grown "$module"
  equal "$(deployed grown Points#Points)" "$points"
  equal "$(cast call "$(deployed grown Shop#Shop)" 'POINTS()(address)')" "$points"
}

refusing() {
  # Two of them cost more than was approved.
  printf '{"Shop":{"price":600000}}' >"$state/parameters.json"
  refused 'Shop#Shop.buy' ignite failing "$module" --parameters "$state/parameters.json"
}

listed() {
  hardhat ignition status main | grep -q "$(deployed main Shop#Shop)" || fail "the status lacks the shop"
}

# Hardhat's default: it asks for the account's nonce four blocks ago, and refuses to begin when that is another one. A node that
# keeps no older state can tell as long as the blocks since are empty.
five_confirmations() {
  local account deadline=$((SECONDS + 30))
  account=$(cast wallet address --private-key "$ASHLAR_KEY")
  until [ "$(cast nonce --block "$(($(cast block-number) - 4))" "$account")" = "$(nonce)" ]; do
    [ "$SECONDS" -lt "$deadline" ] || fail "the account's transactions did not get five confirmations"
  done
  CONFIRMATIONS=5 ignite confirmed ignition/modules/Points.ts
  [ "$(cast codesize "$(deployed confirmed Points#Points)")" -gt 1000 ] || fail "no code"
}

tests() {
  hardhat test nodejs --network ashlar | tee "$state/tests"
  grep -q '4 passing' "$state/tests"
}

script() {
  hardhat run scripts/send.ts --network ashlar | grep -q 'sent in block'
}

essential "build with the compiler from npm" build
essential "ignition deploy: a library, two contracts, calls, an event's argument" deploy
check "ignition deploy again sends nothing" again
check "ignition deploy continues a smaller deployment" continued
check "ignition deploy stops at a call that fails" refusing
check "ignition status" listed
check "ignition deploy with five confirmations" five_confirmations
check "hardhat test on the network, with viem and Ignition" tests
check "hardhat run" script
finish
