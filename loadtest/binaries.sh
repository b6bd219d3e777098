# Sourced: CONSILIUM_BIN and LOADTEST_BIN, built here and optimised where the environment does not say which.
if [ -z "${CONSILIUM_BIN:-}" ] || [ -z "${LOADTEST_BIN:-}" ]; then
    root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
    (cd "$root" && cargo build --release --locked -p consilium -p consilium-loadtest)
    built=$(cd "$root" && cargo metadata --no-deps --format-version 1 | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')/release
fi
export CONSILIUM_BIN=${CONSILIUM_BIN:-$built/consilium} LOADTEST_BIN=${LOADTEST_BIN:-$built/consilium-loadtest}
