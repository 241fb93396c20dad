# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Native WebRTC stacks to measure and to test against: packages of the npm registry that bring their library with them.
# Which ones, with a hash of each, is in tests/bench/peers/package-lock.json; none of their scripts is run. hardwire does
# without them: where node or the registry is not to be had, that is said, and everything else goes on.

readonly peers_lock=tests/bench/peers/package-lock.json
peers_place=''

# peers_settled run|piv|bench|test: nothing is to be done for that purpose.
peers_settled() {
    [[ $1 == bench || $1 == test ]] || return 0
    peers_place=$venv/share/bench-peers
    cmp -s -- "$root/$peers_lock" "$peers_place/package-lock.json" && return 0
    # A test run takes node if it is there. Only who measures gets it installed: Debian's npm is some 300 packages.
    [[ $1 == test ]] && ! npm_is_there
}

npm_is_there() { command -v node >/dev/null && command -v npm >/dev/null; }

prepare_peers() {
    peers_settled "$1" && return
    if ! npm_is_there && command -v apt-get >/dev/null; then
        (become_root nodejs npm && step 'apt-get install nodejs npm' 'native WebRTC stacks to measure beside' \
            apt_install nodejs npm) || true
    fi
    if ! npm_is_there; then
        say 'native WebRTC stacks are left out: there is no node and npm'
    elif ! (step 'npm ci' 'native WebRTC stacks (libdatachannel, libwebrtc) to measure and test against' install_peers); then
        say 'native WebRTC stacks are left out: the npm registry did not give them'
    fi
}

# The lock file comes last: it says that all is there.
install_peers() {
    local from=$root/${peers_lock%/*}
    rm -rf -- "$peers_place" && mkdir -p -- "$peers_place/.new" \
        && cp -- "$from/package.json" "$from/package-lock.json" "$peers_place/.new/" \
        && npm_config_cache=$cache/npm npm ci --prefix "$peers_place/.new" --ignore-scripts --no-audit --no-fund \
            --fetch-retries=1 --fetch-timeout=60000 \
        && mv -- "$peers_place/.new"/{node_modules,package.json,package-lock.json} "$peers_place/" \
        && rmdir -- "$peers_place/.new"
}
