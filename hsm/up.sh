#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Brings a machine up for hardwire and starts what was asked for.
#
# The rules this script keeps:
#   - one command on a fresh Debian does everything; a second start costs a fraction of a second;
#   - root is used for system packages and for nothing else;
#   - the environment (proxies, certificate files, package index settings) is left as it was found;
#   - talk goes to stderr, so that the output of what is started can be piped;
#   - nothing is written outside the checkout's .venv and the user's own cache and state directories.
#
# The parts: lib/say.sh (progress, errors), lib/places.sh (directories), lib/system.sh (packages), lib/python.sh
# (interpreter, venv, wheelhouse), lib/peers.sh (native WebRTC stacks), lib/checks.sh (the test run), lib/tokens.sh and
# lib/shell.sh (try-out shells).
set -Eeuo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
readonly root
# shellcheck source=hsm/lib/say.sh
source "$root/hsm/lib/say.sh"
# shellcheck source=hsm/lib/places.sh
source "$root/hsm/lib/places.sh"
# shellcheck source=hsm/lib/system.sh
source "$root/hsm/lib/system.sh"
# shellcheck source=hsm/lib/python.sh
source "$root/hsm/lib/python.sh"
# shellcheck source=hsm/lib/peers.sh
source "$root/hsm/lib/peers.sh"
# shellcheck source=hsm/lib/checks.sh
source "$root/hsm/lib/checks.sh"
# shellcheck source=hsm/lib/tokens.sh
source "$root/hsm/lib/tokens.sh"
# shellcheck source=hsm/lib/shell.sh
source "$root/hsm/lib/shell.sh"

help() {
    cat <<'TEXT'
usage: bash hsm/up.sh COMMAND

  demo [--json]           two peers, two software tokens, one real line between them
  demo --devices piv,tpm  the same with devices that prove themselves: any two of softhsm, tpm, piv (a virtual YubiKey)
  test                    every check this project has, as CI runs it
  test ARGUMENTS…         only pytest, with these arguments
  shell alice             a shell whose identity can live in a SoftHSM token of its own
  shell bob               the same with a software TPM (swtpm)
  shell acme              the same for an organisation's authority (docs/guides/organisation.md)
  shell NAME -- COMMAND…  run one command there instead of a shell
  bench line [--json]     throughput and latency, next to raw aiortc
  bench lane [--json]     a file over a direct lane, next to TLS 1.3, scp and magic-wormhole
  bench transport [--json]  everything about speed in one run: data, files, bad paths, shares, delays, memory; next to raw
                          aiortc, native WebRTC stacks, TCP, TLS 1.3, scp and magic-wormhole (--quick, --only, --strict)
  bench floods [--json]   what a hostile peer's packets cost, flood by flood
  bench keys [--json]     signatures, key agreement and opening on each device, next to the bare binding
  bench certs [--json]    verdicts on certificates and revocation lists, next to cryptography alone
  prepare [test]          install what the demo (or the tests) needs, start nothing
  help                    this text

Whatever is missing is installed first: system packages (as root, or with sudo), then a Python environment in
.venv. Nothing else needs root.

environment:
  HARDWIRE_PYTHON         the Python to build the environment with (3.11 or newer; default: the first that fits)
  XDG_CACHE_HOME          where the wheel that has to be compiled is kept   (default: ~/.cache)
  XDG_STATE_HOME          where the tokens of the try-out shells are kept   (default: ~/.local/state)
TEXT
}

usage_error() {
    die 2 "$1" "see: bash hsm/up.sh help"
}

start_demo() {
    local purpose=run
    [[ " $* " != *piv* ]] || purpose=piv
    prepare "$purpose"
    exec "$venv/bin/hardwire" demo "$@"
}

start_bench() {
    local what=${1:-}
    case $what in
        line | lane | transport | floods | keys | certs) ;;
        *) usage_error "there are six benchmarks: line, lane, transport, floods, keys and certs" ;;
    esac
    shift
    prepare bench
    export PYTHONPATH="$root/tests${PYTHONPATH:+:$PYTHONPATH}"
    exec "$venv/bin/python" "$root/tests/bench/$what.py" "$@"
}

start_prepare() {
    case ${1:-run} in
        run | demo) prepare run ;;
        test) prepare test ;;
        *) usage_error "cannot prepare for '$1'" ;;
    esac
    say "ready: $venv"
}

main() {
    local command=${1:-}
    [[ $# -eq 0 ]] || shift
    case $command in
        help | -h | --help) help && return ;;
        '') help >&2 && exit 2 ;;
    esac
    find_places
    case $command in
        demo) start_demo "$@" ;;
        test) start_checks "$@" ;;
        shell) start_shell "$@" ;;
        bench) start_bench "$@" ;;
        prepare) start_prepare "$@" ;;
        *) usage_error "unknown command '$command'" ;;
    esac
}

main "$@"
