# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# System packages: what is not on the Python package index. The only part that needs root.

# What every command needs: Python, the compiler and headers for tpm2-pytss (no wheel of it exists), the two tokens,
# and OpenSC's modules: one of them, pkcs11-spy, counts what SoftHSM is asked to sign. (They load libpcsclite by name,
# so that the package does not depend on it, and fail without.)
readonly base_packages=(
    python3 python3-venv python3-dev gcc libc6-dev pkg-config libtss2-dev softhsm2 swtpm swtpm-tools
    opensc-pkcs11 libpcsclite1
)
# What a virtual YubiKey needs besides: a smart-card service with virtual readers, a namespace's network, Yubico's
# module, and what pyscard (of yubikey-manager) is compiled with.
readonly piv_packages=(iproute2 libpcsclite-dev pcscd swig vsmartcard-vpcd ykcs11)
# What the tests need besides both: tools that judge our output, a TURN server, a browser, two programs that ask for
# PINs, and a TPM's resource manager with a D-Bus of its own. (strongSwan's pki knows no ECDSA without the plugins.)
readonly test_packages=(
    chromium coturn dbus-bin dbus-daemon gnutls-bin libstrongswan-standard-plugins libtss2-tcti-tabrmd0 nftables opensc
    openssl pinentry-curses pinentry-tty shellcheck strongswan-pki tpm2-abrmd tpm2-openssl tpm2-tools
)
# What is measured beside: a browser, scp; and what makes a network of our own. What magic-wormhole needs comes with
# Python, native WebRTC stacks by lib/peers.sh.
readonly bench_packages=(chromium iproute2 openssh-client openssh-server)

# One program for each package that has one: their presence is what a warm start looks at.
readonly base_programs=(gcc pkg-config softhsm2-util swtpm swtpm_setup)
readonly piv_programs=(ip swig vpcd-config)
readonly test_programs=(
    chromium turnserver certtool dbus-daemon dbus-send nft pkcs11-tool openssl pinentry-curses pinentry-tty pki
    shellcheck tpm2_getcap
)

# programs_present run|piv|bench|test
programs_present() {
    local program programs=("${base_programs[@]}")
    [[ $1 != piv && $1 != test ]] || programs+=("${piv_programs[@]}")
    [[ $1 != test ]] || programs+=("${test_programs[@]}")
    [[ $1 != bench ]] || programs+=(chromium ip scp /usr/sbin/sshd)
    for program in "${programs[@]}"; do
        command -v "$program" >/dev/null || return 1
    done
}

# install_packages run|piv|bench|test installs what is missing of the list for that purpose.
install_packages() {
    local wanted=("${base_packages[@]}") missing=()
    [[ $1 != piv && $1 != test ]] || wanted+=("${piv_packages[@]}")
    [[ $1 != test ]] || wanted+=("${test_packages[@]}")
    [[ $1 != bench ]] || wanted+=("${bench_packages[@]}")
    doing='looking for system packages'
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        not_debian "$1" && return
    fi
    mapfile -t missing < <(missing_packages "${wanted[@]}")
    ((${#missing[@]})) || return 0
    become_root "${missing[@]}"
    if ! compgen -G '/var/lib/apt/lists/*Packages*' >/dev/null; then
        step 'apt-get update' 'this machine has no package lists yet' apt update
    fi
    step "apt-get install ${missing[*]}" 'system packages' apt_install "${missing[@]}"
    if [[ " ${missing[*]} " == *' coturn '* ]]; then
        quieten_coturn
    fi
    if [[ " ${missing[*]} " == *' openssh-server '* ]]; then
        quieten_sshd
    fi
    if [[ " ${missing[*]} " == *' vsmartcard-vpcd '* ]]; then
        quieten_vpcd
    fi
}

missing_packages() {
    local present
    # dpkg-query fails when one name is unknown to it, and still prints the others.
    present=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null) || true
    printf '%s\n' "$@" | grep -vxF -f <(sed -n 's/^installed //p' <<<"$present"; echo '-') || true
}

# How to become root, decided before anything is attempted: as_root is the prefix, or the script ends with advice.
become_root() {
    if (($(id -u) == 0)); then
        as_root=()
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        as_root=(sudo -n)
    elif command -v sudo >/dev/null && [[ -t 0 && -t 2 ]]; then
        say "system packages are missing: $*"
        say "sudo may ask for your password now"
        sudo -v || no_root "$@"
        as_root=(sudo)
    else
        no_root "$@"
    fi
}

no_root() {
    local command="apt-get update && apt-get install --no-install-recommends $*"
    printf 'error: these system packages are missing, and only root can install them: %s\n' "$*" >&2
    if command -v sudo >/dev/null; then
        printf 'hint: type this once, then start again:\n  sudo sh -c "%s"\n' "$command" >&2
    else
        printf 'hint: type this once (it asks for the password of root), then start again:\n  su -c "%s"\n' "$command" >&2
    fi
    exit 2
}

# Words of ours are passed to apt through env, because sudo drops the environment it was called with.
apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
        apt-get -q -o DPkg::Lock::Timeout=300 "$@"
}

# Package lists that are merely old name versions that are gone: then, and only then, they are fetched again.
apt_install() {
    apt install -y --no-install-recommends "$@" || { apt update && apt install -y --no-install-recommends "$@"; }
}

# The tests start a TURN server of their own on loopback; the package's service would listen on every interface.
quieten_coturn() {
    [[ -d /run/systemd/system ]] || return 0
    step 'stop the coturn service' 'only the tests use it, on loopback' "${as_root[@]}" systemctl disable --now coturn
}

# And an sshd for the benchmark, where there was none: it starts its own, on loopback, with keys of its own.
quieten_sshd() {
    [[ -d /run/systemd/system ]] || return 0
    step 'stop the ssh service' 'only the benchmark uses sshd, on loopback' "${as_root[@]}" systemctl disable --now ssh
}

# The same for the virtual reader: the machine's own smart-card service would let it listen on every interface. The
# tests have a service of their own, with a configuration of its own. (An emptied file stays so when it is upgraded.)
quieten_vpcd() {
    step 'keep the virtual reader out of the smart-card service' 'the tests start their own, where nobody hears it' \
        "${as_root[@]}" truncate --size=0 --no-create /etc/reader.conf.d/vpcd
}

not_debian() {
    programs_present "$1" && return 0
    printf 'error: this is not Debian or a relative of it: the system packages have to be installed by hand\n' >&2
    printf 'hint: the equivalents of: %s\n' "${base_packages[*]}" >&2
    [[ $1 != piv && $1 != test ]] || printf '      for a virtual card:  %s\n' "${piv_packages[*]}" >&2
    [[ $1 != test ]] || printf '      and for the tests:   %s\n' "${test_packages[*]}" >&2
    exit 2
}
