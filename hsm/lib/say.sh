# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Talking to the person: one line per step with what is done, why, and how long it took. All of it on stderr.
# An error is one line and a hint. The output of a quiet step is kept in a log and shown only when it fails.

doing='starting'

say() { printf 'hardwire: %s\n' "$*" >&2; }

# die STATUS MESSAGE [HINT]
die() {
    printf 'error: %s\n' "$2" >&2
    [[ $# -lt 3 ]] || printf 'hint: %s\n' "$3" >&2
    exit "$1"
}

# What is shown when a command fails that nobody expected to fail: without it `set -e` ends the script in silence.
unexpected() {
    local status=$1 line=$2 file=$3
    printf 'error: %s failed (status %s, %s line %s)\n' "$doing" "$status" "${file##*/}" "$line" >&2
    exit "$status"
}
trap 'unexpected "$?" "$LINENO" "${BASH_SOURCE[0]:-}"' ERR

# seconds_since EPOCHREALTIME prints the time gone by with one decimal; the decimal mark may be a comma, by locale.
seconds_since() {
    local now=${EPOCHREALTIME//[!0-9]/} then=${1//[!0-9]/}
    local tenths=$(((now - then) / 100000))
    printf '%d.%d s' $((tenths / 10)) $((tenths % 10))
}

# step TITLE REASON COMMAND… runs the command quietly. It must be one program, or a function whose commands are
# chained with &&: under `if` bash does not stop at the first failure.
step() {
    local title=$1 reason=$2 started=$EPOCHREALTIME log beat status=0
    shift 2
    doing=$title
    say "$title ($reason)"
    log=$(mktemp)
    heartbeat & beat=$!
    "$@" >"$log" 2>&1 </dev/null || status=$?
    kill "$beat" 2>/dev/null || true
    wait "$beat" 2>/dev/null || true
    if ((status != 0)); then
        printf 'error: %s failed (status %s); its last words:\n' "$title" "$status" >&2
        tail -n 30 "$log" | sed 's/^/  | /' >&2
        rm -f "$log"
        exit 1
    fi
    rm -f "$log"
    say "  done in $(seconds_since "$started")"
}

# A sign of life for steps that take minutes on a slow line. `read` on a pipe nobody writes to is a sleep without a
# process: a left-over `sleep` would keep the caller's stderr open. It ends by itself when the script was killed.
heartbeat() {
    trap - ERR
    local nothing seconds=0
    exec {nothing}<> <(:)
    while kill -0 $$ 2>/dev/null; do
        read -rt 1 -u "$nothing" || true
        seconds=$((seconds + 1))
        ((seconds % 20)) || say "  still at it after $seconds s"
    done
}
