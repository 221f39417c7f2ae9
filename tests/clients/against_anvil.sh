#!/usr/bin/env bash
# Runs the client matrix against anvil, to tell a broken script from a broken node. Arguments go to run.sh, the words of
# ANVIL_OPTIONS to anvil (for example --block-time 1).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
"$here/run.sh" install

# The first account of the usual test mnemonic.
export ASHLAR_KEY=0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80
export ASHLAR_CHAIN_ID=4242

# Only for its function `tool`, which wants to know the network; that is not known yet.
ASHLAR_RPC=unknown ASHLAR_ARTIFACTS=unknown source "$here/checks.sh"

# Port 0: anvil takes a free one and says which.
: >"$state/anvil"
# shellcheck disable=SC2086 # options, split on purpose
"$(tool anvil)" --host 127.0.0.1 --port 0 --chain-id "$ASHLAR_CHAIN_ID" --hardfork osaka ${ANVIL_OPTIONS:-} >>"$state/anvil" &
anvil=$!
trap 'kill "$anvil"; rm -rf "$state"' EXIT

until address=$(grep -oE 'Listening on 127\.0\.0\.1:[0-9]+' "$state/anvil"); do
  kill -0 "$anvil"
  sleep 0.1
done
export ASHLAR_RPC=http://${address#Listening on } ASHLAR_WS=ws://${address#Listening on }
"$here/run.sh" "$@"
