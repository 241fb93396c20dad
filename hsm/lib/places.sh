# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Where things are kept. Sets: cache, state, venv.
# HOME may be missing or read-only (services, containers, CI); then a private directory under TMPDIR takes its place.

cache='' state='' venv=''

find_places() {
    local home=${HOME:-}
    [[ -n $home ]] || home=$(getent passwd "$(id -u)" | cut -d: -f6) || true
    first_usable "$(absolute "${XDG_CACHE_HOME:-}" "$home/.cache")/hardwire" cache
    cache=$REPLY
    first_usable "$(absolute "${XDG_STATE_HOME:-}" "$home/.local/state")/hardwire" state
    state=$REPLY
    choose_venv
    PATH="$PATH:/usr/sbin:/sbin" # a plain user's PATH may lack them; some of the tools we look for live there
}

# absolute VALUE DEFAULT: the XDG rules say that a relative path is to be ignored.
absolute() {
    if [[ $1 == /* ]]; then printf '%s' "$1"; else printf '%s' "$2"; fi
}

# first_usable DIRECTORY NAME sets REPLY to DIRECTORY when it can be made and written to, else to a private one.
first_usable() {
    REPLY=$1
    if ! mkdir -p -- "$1" 2>/dev/null || [[ ! -w $1 ]]; then
        private_directory ''
        private_directory "/$2"
    fi
}

# private_directory SUFFIX sets REPLY to a directory under TMPDIR. Anyone may have made the name before us, and what
# we install from there must be ours alone.
private_directory() {
    REPLY=$(absolute "${TMPDIR:-}" /tmp)/hardwire-$(id -u)$1
    mkdir -m 0700 -- "$REPLY" 2>/dev/null || true
    [[ -d $REPLY && ! -L $REPLY && -O $REPLY ]] \
        || die 1 "cannot use $REPLY: it is not a directory of yours" 'remove it, or set HOME or TMPDIR'
    chmod 0700 -- "$REPLY"
}

# The environment lives in the checkout, unless the checkout is somebody else's.
choose_venv() {
    venv=$root/.venv
    if [[ -e $venv ]]; then
        [[ ! -w $venv ]] || return 0
        venv_is_fresh tpm && return 0
    elif [[ -w $root ]]; then
        return 0
    fi
    venv=$cache/venv-$(printf '%s' "$root" | sha256sum | cut -c1-12)
}
