#!/usr/bin/env bash
# cast, as a user types it.
set -uo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/checks.sh"

sender=$(cast wallet address --private-key "$ASHLAR_KEY")
recipient=$(stranger)

# Sends from the funded account and waits: prints the transaction's hash.
send() {
  local hash
  hash=$(cast send --async --private-key "$ASHLAR_KEY" "$@")
  cast receipt "$hash" transactionHash
}

token() {
  cat "$state/token"
}

chain_id_is_right() {
  equal "$(cast chain-id)" "$chain_id"
}

balance_is_funded() {
  [ "$(cast balance --ether "$sender" | cut -d. -f1)" -ge 1 ] || fail "the account is not funded"
}

native_transfer() { # TYPE [OPTION...]
  local kind=$1 to hash
  shift
  to=$(stranger)
  hash=$(send "$@" "$to" --value 7)
  equal "$(cast receipt "$hash" status)" true
  equal "$(cast receipt "$hash" type)" "$kind"
  equal "$(cast receipt "$hash" gasUsed)" 21000
  equal "$(cast balance "$to")" 7
  equal "$(cast tx "$hash" blockHash)" "$(cast receipt "$hash" blockHash)"
}

deploy() {
  local bytecode arguments nonce hash address
  bytecode=$(node -p 'JSON.parse(require("fs").readFileSync(process.argv[1])).bytecode.object' "$token_artifact")
  arguments=$(cast abi-encode 'constructor(string,string,uint256)' Fixture FIX 1000000)
  nonce=$(cast nonce "$sender")
  hash=$(send --create "$bytecode${arguments#0x}")
  equal "$(cast receipt "$hash" status)" true
  address=$(cast receipt "$hash" contractAddress)
  equal "$(cast to-check-sum-address "$address")" \
    "$(cast compute-address "$sender" --nonce "$nonce" | awk '{ print $NF }')"
  [ "$(cast codesize "$address")" -gt 1000 ] || fail "no code at $address"
  echo "$address" >"$state/token"
}

metadata() {
  equal "$(cast call "$(token)" 'name()(string)')" '"Fixture"'
  equal "$(cast call "$(token)" 'decimals()(uint8)')" 18
}

token_transfer() {
  send "$(token)" 'transfer(address,uint256)' "$recipient" 500 >"$state/transfer"
  equal "$(cast receipt "$(cat "$state/transfer")" status)" true
  equal "$(cast call "$(token)" 'balanceOf(address)(uint256)' "$recipient")" 500
  equal "$(cast call "$(token)" 'balanceOf(address)(uint256)' "$sender" | cut -d' ' -f1)" 999500
}

logs() {
  local block found
  block=$(cast receipt "$(cat "$state/transfer")" blockNumber)
  found=$(cast logs --from-block "$block" --to-block "$block" --address "$(token)" \
    'Transfer(address indexed from, address indexed to, uint256 value)' "$sender" "$recipient")
  grep -q "transactionHash: $(cat "$state/transfer")" <<<"$found" || fail "not in: $found"
  grep -q "data: $(cast to-uint256 500)" <<<"$found" || fail "not in: $found"
}

storage() {
  # OpenZeppelin's ERC20 keeps balances in the mapping at slot 0.
  equal "$(cast storage "$(token)" "$(cast index address "$recipient" 0)")" "$(cast to-uint256 500)"
}

custom_error() {
  local poor answer data decoded
  poor=$(stranger)
  answer=$(cast call "$(token)" 'transfer(address,uint256)' "$recipient" 3 --from "$poor" 2>&1) && fail "$answer"
  data=$(grep -oE '0xe450d38c[0-9a-f]{192}' <<<"$answer") || fail "no ERC20InsufficientBalance in: $answer"
  decoded=$(cast decode-error "$data" --sig 'ERC20InsufficientBalance(address,uint256,uint256)')
  equal "$(tr '\n' ' ' <<<"$decoded")" "$poor 0 3 "
}

revert_reason() {
  refused 'nothing to redeem' cast call "$(token)" 'redeem(uint256)' 0
}

panic() {
  refused '(panic: .*0x12|division or modulo by zero)' cast call "$(token)" 'share(uint256,uint256)' 1 0
}

estimate() {
  refused 'nothing to redeem' cast estimate "$(token)" 'redeem(uint256)' 0 --from "$sender"
}

reverted() {
  local hash
  hash=$(send --gas-limit 100000 "$(token)" 'redeem(uint256)' 0)
  equal "$(cast receipt "$hash" status)" false
}

nonce_too_low() {
  refused 'nonce too low' cast send --private-key "$ASHLAR_KEY" --nonce 0 --gas-limit 21000 "$recipient" --value 1
}

insufficient_funds() {
  refused 'insufficient funds' \
    cast send --private-key "$(cast keccak "$recipient")" --gas-limit 21000 "$recipient" --value 1ether
}

other_chain() {
  refused 'chain ?[iI]d' cast send --private-key "$ASHLAR_KEY" --chain 1 "$recipient" --value 1
}

blocks() {
  local number hash
  number=$(cast receipt "$(cat "$state/transfer")" blockNumber)
  hash=$(cast receipt "$(cat "$state/transfer")" blockHash)
  equal "$(cast block "$number" -f hash)" "$hash"
  equal "$(cast block "$hash" -f number)" "$number"
  equal "$(cast block "$(cast block "$hash" -f parentHash)" -f number)" "$((number - 1))"
  [ "$(cast block-number)" -ge "$number" ] || fail "latest is before a receipt"
  cast block "$hash" --json | grep -q "$(cat "$state/transfer")" || fail "the block lacks the transaction"
}

finalized() {
  local number
  number=$(cast block finalized -f number)
  equal "$(cast block "$number" -f hash)" "$(cast block finalized -f hash)"
}

publish() {
  # Signed here, sent later, as from a machine without a network.
  local raw hash
  raw=$(cast mktx --private-key "$ASHLAR_KEY" "$recipient" --value 1)
  hash=$(cast publish --async "$raw")
  equal "$(cast receipt "$hash" status)" true
}

over_websocket() {
  equal "$(ETH_RPC_URL='' "$(tool cast)" chain-id --rpc-url "$ASHLAR_WS")" "$chain_id"
}

subscription() {
  # cast does not tell when its subscription has begun, so transfers go on until it prints one of them.
  "$(tool cast)" logs --subscribe --rpc-url "$ASHLAR_WS" --address "$(token)" >"$state/stream" 2>&1 &
  local listener=$! tries
  for tries in 1 2 3 4 5 6 7 8 9 10; do
    send "$(token)" 'transfer(address,uint256)' "$recipient" 17 >/dev/null
    if grep -q "data: $(cast to-uint256 17)" "$state/stream"; then break; fi
  done
  kill "$listener"
  wait "$listener" 2>/dev/null || true
  grep -q "data: $(cast to-uint256 17)" "$state/stream" || fail "no log after $tries transfers: $(cat "$state/stream")"
}

essential "chain id" chain_id_is_right
check "balance of the funded account" balance_is_funded
check "legacy transfer" native_transfer 0 --legacy
check "eip1559 transfer" native_transfer 2
essential "deploy an OpenZeppelin ERC-20" deploy
check "token metadata" metadata
essential "token transfer and balances" token_transfer
check "Transfer logs by getLogs" logs
check "storage of the token" storage
check "a custom error is decoded" custom_error
check "a revert reason is decoded" revert_reason
check "a panic is decoded" panic
check "an estimate of a reverting call fails with its reason" estimate
check "a reverted transaction has a receipt that says so" reverted
check "nonce too low is refused" nonce_too_low
check "insufficient funds are refused" insufficient_funds
check "another chain is refused" other_chain
check "blocks by number, hash and tag" blocks
check "the finalized block is on the chain" finalized
check "publish a signed transaction" publish
if [ -n "${ASHLAR_WS:-}" ]; then
  check "WebSocket: a request" over_websocket
  check "WebSocket: Transfer logs" subscription
else
  skip "WebSocket" "ASHLAR_WS is not set"
fi
finish
