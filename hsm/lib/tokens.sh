# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Software tokens for the try-out shells: a SoftHSM token, a software TPM. Each keeps its state between runs.
# They protect nothing: whoever can read the files has the keys. hardwire says SOFTWARE TOKEN wherever they appear.

# fill_templates STATE SUFFIX… writes the configuration files of softhsm-config/ into STATE (see the README there).
fill_templates() {
    local directory=$1 template template_text
    shift
    for template in "$@"; do
        # No sed: the path may hold any character.
        template_text=$(<"$root/softhsm-config/$template.in")
        printf '%s\n' "${template_text//@STATE@/"$directory"}" >"$directory/$template"
    done
}

# random_digits COUNT (at most 8: then 56 random bits leave no visible bias)
random_digits() {
    printf '%0*d' "$1" $(($(od -An -N7 -tu8 /dev/urandom) % 10 ** $1))
}

# keep_pin DIRECTORY makes the PIN of a try-out token, once.
keep_pin() {
    [[ -s $1/pin ]] || (umask 077 && random_digits 8 >"$1/pin.new" && mv -- "$1/pin.new" "$1/pin")
}

# ready_softhsm DIRECTORY LABEL
ready_softhsm() {
    local directory=$1 label=$2
    fill_templates "$directory" softhsm2.conf
    export SOFTHSM2_CONF=$directory/softhsm2.conf
    mkdir -p -- "$directory/tokens"
    [[ -z $label || -e $directory/tokens/.made ]] && return
    rm -rf -- "$directory/tokens"
    mkdir -- "$directory/tokens"
    step "make a SoftHSM token named $label" 'a software token to try hardwire with' \
        "$venv/bin/python" "$root/hsm/lib/make_token.py" "$label" "$directory/pin"
    : >"$directory/tokens/.made"
}

# ready_swtpm DIRECTORY manufactures the software TPM once and starts it when it does not run. Sets tpm_socket.
ready_swtpm() {
    local directory=$1
    [[ -d $directory/tpm ]] || manufacture_tpm "$directory"
    place_socket "$directory"
    tpm_runs || start_tpm "$directory"
}

manufacture_tpm() {
    local directory=$1
    fill_templates "$directory" swtpm_setup.conf swtpm-localca.conf swtpm-localca.options
    rm -rf -- "$directory/tpm.new"
    mkdir -p -- "$directory/ca" "$directory/tpm.new"
    step 'make a software TPM' 'with certificates from a private authority, kept between runs' \
        swtpm_setup --tpm2 --tpmstate "$directory/tpm.new" --config "$directory/swtpm_setup.conf" \
        --create-ek-cert --create-platform-cert --ecc --lock-nvram --overwrite
    mv -- "$directory/tpm.new" "$directory/tpm"
}

# The name of a Unix socket has 107 octets at most, and a comma ends it in the TPM library's connection string.
place_socket() {
    tpm_socket=$1/tpm.sock
    if ((${#tpm_socket} > 95)) || [[ $tpm_socket == *[!a-zA-Z0-9/._-]* ]]; then
        private_directory ''
        tpm_socket=$REPLY/tpm-$(printf '%s' "$1" | sha256sum | cut -c1-8).sock
    fi
}

tpm_runs() { [[ -S $tpm_socket.ctrl ]] && swtpm_ioctl --unix "$tpm_socket.ctrl" -c >/dev/null 2>&1; }

start_tpm() {
    local directory=$1 _
    rm -f -- "$tpm_socket" "$tpm_socket.ctrl" # a killed swtpm leaves them behind
    step 'start the software TPM' 'it stops with the last of its shells' \
        swtpm socket --tpm2 --tpmstate "dir=$directory/tpm" --flags not-need-init,startup-clear \
        --server "type=unixio,path=$tpm_socket" --ctrl "type=unixio,path=$tpm_socket.ctrl" \
        --log "file=$directory/swtpm.log" --daemon
    for _ in {1..100}; do
        [[ ! -S $tpm_socket ]] || return 0
        sleep 0.05
    done
    die 1 'the software TPM did not start' "see $directory/swtpm.log"
}

# A TPM that loses power without TPM2_Shutdown counts one failed try against its PINs at the next start.
stop_tpm() {
    "$venv/bin/python" "$root/hsm/lib/shutdown_tpm.py" "$tpm_socket" || say 'the software TPM did not take its shutdown'
    swtpm_ioctl --unix "$tpm_socket.ctrl" -s || true
    rm -f -- "$tpm_socket" "$tpm_socket.ctrl"
}
