# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# `up.sh shell alice|bob|acme [-- COMMAND…]`: a shell in which hardwire finds one software token and nothing else.
# What hardwire looks at: HARDWIRE_HOME, SOFTHSM2_CONF, HARDWIRE_TCTI, and the smart-card service.

tpm_socket=''

start_shell() {
    local name=${1:-alice} directory status=0
    [[ $name == alice || $name == bob || $name == acme ]] ||
        usage_error "there are three try-out shells: alice, bob, and acme for an organisation's authority; not '$name'"
    [[ $# -eq 0 ]] || shift
    [[ ${1:-} != -- ]] || shift
    prepare run
    directory=$state/shell/$name
    mkdir -p -- "$directory/home"
    chmod 0700 -- "$state/shell" "$directory" "$directory/home"
    keep_pin "$directory"
    export HARDWIRE_HOME=$directory/home HARDWIRE_TCTI=none
    export PCSCLITE_CSOCK_NAME=$directory/no-cards # where no smart-card service listens: your own card is left alone
    hold_token "$name" "$directory"
    introduce "$name" "$directory"
    doing="the shell of $name"
    run_shell "$name" "$directory" "$@" || status=$?
    exit "$status"
}

# Every shell of one name holds a shared lock; the one that gets it alone at the end is the last, and tidies up.
# The exclusive lock while starting keeps two first shells from starting two TPMs.
hold_token() {
    local name=$1 directory=$2
    exec {users}>>"$directory/users.lock"
    exec {starting}>>"$directory/starting.lock"
    flock "$starting"
    if [[ $name == alice ]]; then
        ready_softhsm "$directory" alice
    elif [[ $name == acme ]]; then
        ready_softhsm "$directory" acme-ca
    else
        ready_softhsm "$directory" ''
        ready_swtpm "$directory" {users}<&- {starting}<&- # swtpm would hold the locks as long as it runs
        export HARDWIRE_TCTI=swtpm:path=$tpm_socket
        trap 'release_tpm' EXIT
        trap 'exit 129' HUP
        trap 'exit 143' TERM
    fi
    flock --shared "$users"
    exec {starting}<&-
}

release_tpm() {
    if flock --nonblock "$users"; then
        stop_tpm
    fi
}

introduce() {
    local name=$1 directory=$2 token='SoftHSM token' hint='type it when init asks'
    [[ $name != acme ]] || hint='type it when hardwire asks'
    [[ $name != bob ]] || token='software TPM (swtpm)' hint='choose this one, or another, when init asks for a new one'
    if [[ $name == acme ]]; then
        cat >&2 <<TEXT

  You run the authority of ACME. Its key can live in a $token:
  a SOFTWARE TOKEN, for trying things out. It protects nothing.
  PIN        $(<"$directory/pin")   $hint
             (also in $directory/pin)
  type       hardwire cert ca --name ACME --device acme-ca --out acme.pem
             exit                       leave; everything is kept
  more       docs/guides/organisation.md

TEXT
        return
    fi
    cat >&2 <<TEXT

  You are $name. Your identity can live in a $token:
  a SOFTWARE TOKEN, for trying things out. It protects nothing.
  PIN        $(<"$directory/pin")   $hint
             (also in $directory/pin)
  type       hardwire init              make the identity, once
             hardwire chat --loopback   open a line to the other shell; type
             hardwire join --loopback   there
             exit                       leave; everything is kept

TEXT
}

# The token's locks stay with this process: what is started in the shell must not keep the TPM alive by accident.
run_shell() {
    local name=$1 directory=$2
    shift 2
    export PATH=$venv/bin:$PATH
    if (($#)); then
        "$@" {users}<&-
        return
    fi
    write_rcfile "$directory/bashrc" "$name"
    bash --rcfile "$directory/bashrc" -i {users}<&-
}

# The user's own settings first, then the prompt and the PATH, which those settings may have replaced.
write_rcfile() {
    cat >"$1" <<TEXT
[[ ! -r ~/.bashrc ]] || source ~/.bashrc
PATH=$(printf '%q' "$venv/bin"):\$PATH
PS1='[$2: SOFTWARE TOKEN] \w\\$ '
TEXT
}
