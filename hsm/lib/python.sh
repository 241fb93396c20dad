# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The Python environment: found or made once, then recognised by a stamp.
#
# The stamp is the last thing written, so a half-made environment has none. It holds a key (what the environment was
# made from) and the extras installed. When the key differs, everything is looked at again; pip finds most of it done.

readonly stamp_name=.hardwire-stamp
wheelhouse='' tpm_requirement=''

# prepare run|piv|bench|test makes sure that everything is there. The quick way out takes a few milliseconds.
prepare() {
    local purpose=$1 extras
    case $purpose in
        run) extras='tpm' ;;
        piv) extras='tpm yubikey' ;;
        bench) extras='tpm dev bench' ;;
        test) extras='tpm scan yubikey dev' ;;
    esac
    # shellcheck disable=SC2086 # the extras are words
    if programs_present "$purpose" && venv_is_fresh $extras && peers_settled "$purpose"; then
        return 0
    fi
    # One at a time in one checkout, across users too. A directory can be locked: no lock file to leave behind.
    doing='waiting for another start in this checkout'
    exec {lock}<"$root"
    flock -n "$lock" || { say "waiting: another start is preparing this checkout" && flock "$lock"; }
    install_packages "$purpose"
    # shellcheck disable=SC2086
    venv_is_fresh $extras || build_venv $extras
    prepare_peers "$purpose"
    exec {lock}<&-
    doing='starting'
}

# The key: the declared dependencies, these scripts, the interpreter behind the venv, and where it all lies (a venv
# does not survive being moved).
stamp_key() {
    {
        printf '%s\n' "$root" "$(readlink -f -- "$venv/bin/python" 2>/dev/null)"
        cat -- "$root/pyproject.toml" "$root"/hsm/lib/{python,system}.sh
    } | sha256sum | cut -d' ' -f1
}

venv_is_fresh() {
    local key extra installed=''
    [[ -x $venv/bin/python && -r $venv/$stamp_name ]] || return 1
    { read -r key && read -r installed; } <"$venv/$stamp_name" || return 1
    [[ $key == "$(stamp_key)" ]] || return 1
    for extra in "$@"; do
        [[ " $installed " == *" $extra "* ]] || return 1
    done
}

build_venv() {
    local extras=("$@") old=()
    # What an earlier start installed stays installed.
    [[ ! -r $venv/$stamp_name ]] || { read -r && read -ra old; } <"$venv/$stamp_name" || true
    mapfile -t extras < <(printf '%s\n' "${old[@]}" "${extras[@]}" | sort -u | grep .)
    rm -f -- "$venv/$stamp_name"
    venv_works || make_venv
    find_wheelhouse
    wheel_is_there || step 'compile tpm2-pytss' 'no wheel of it is published; done once, then kept' compile_wheel
    step "pip install hardwire[$(IFS=, && echo "${extras[*]}")]" "the Python libraries, into ${venv#"$root"/}" \
        install_hardwire "${extras[@]}"
    printf '%s\n%s\n' "$(stamp_key)" "${extras[*]}" >"$venv/$stamp_name.new"
    mv -- "$venv/$stamp_name.new" "$venv/$stamp_name"
}

# The scripts of a venv name its place: one that was moved or copied still starts, with the wrong libraries.
venv_works() {
    fits "$venv/bin/python" && "$venv/bin/python" -m pip --version >/dev/null 2>&1 \
        && head -n 3 -- "$venv/bin/pip" 2>/dev/null | grep -qF -- "$venv/bin/python"
}

make_venv() {
    local python
    doing='looking for a Python'
    python=$(find_python) || die 2 "no Python 3.11 or newer with venv and headers was found" \
        "install one (python3, python3-venv, python3-dev) and name it in HARDWIRE_PYTHON if it is not in PATH"
    step "python -m venv ${venv#"$root"/}" "$("$python" --version), a place of its own for the libraries" \
        "$python" -m venv --clear "$venv"
}

find_python() {
    local candidate
    for candidate in ${HARDWIRE_PYTHON:+"$HARDWIRE_PYTHON"} python3 /usr/bin/python3 python3.14 python3.13 python3.12 python3.11; do
        if candidate=$(command -v -- "$candidate") && fits "$candidate"; then
            printf '%s' "$candidate"
            return 0
        fi
        [[ -z ${HARDWIRE_PYTHON:-} ]] || return 1 # a wish that cannot be granted is an error, not a suggestion
    done
    return 1
}

# New enough, able to make a venv, and with the C headers that tpm2-pytss is compiled against.
fits() {
    [[ -x $1 ]] && "$1" - 2>/dev/null <<'PYTHON'
import ensurepip, os, sys, sysconfig, venv
sys.exit(not (sys.version_info >= (3, 11) and os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))))
PYTHON
}

# A wheel fits one Python and one libtss2 (what the library offers is looked up when the wheel is compiled).
# Sets wheelhouse, and tpm_requirement: what pyproject.toml asks for.
find_wheelhouse() {
    local python_tag
    doing='reading what to compile from pyproject.toml'
    { read -r python_tag && read -r tpm_requirement; } < <("$venv/bin/python" - "$root/pyproject.toml" <<'PYTHON'
import sys, sysconfig, tomllib
print(sys.implementation.cache_tag, sysconfig.get_platform(), sep="-")
with open(sys.argv[1], "rb") as file:
    print(tomllib.load(file)["project"]["optional-dependencies"]["tpm"][0])
PYTHON
    )
    wheelhouse=$cache/wheelhouse/$python_tag-tss$(pkg-config --modversion tss2-esys)
    mkdir -p -- "$wheelhouse"
}

wheel_is_there() {
    "$venv/bin/python" -m pip install --quiet --dry-run --ignore-installed --no-deps --no-index \
        --only-binary :all: --find-links "$wheelhouse" "$tpm_requirement" >/dev/null 2>&1
}

# Without optimisation it takes half the time, and the work is done in libtss2 and the device anyway.
compile_wheel() {
    local scratch
    scratch=$(mktemp -d -- "$wheelhouse/.new-XXXXXX") \
        && CFLAGS="${CFLAGS:-} -O0" "$venv/bin/python" -m pip wheel --progress-bar off --no-deps \
            --no-binary tpm2-pytss --wheel-dir "$scratch" "$tpm_requirement" \
        && mv -- "$scratch"/*.whl "$wheelhouse/" && rmdir -- "$scratch"
}

# From inside the checkout, so that its path may hold any character.
install_hardwire() {
    local extras
    extras=$(IFS=, && echo "$*")
    cd -- "$root" && "$venv/bin/python" -m pip install --progress-bar off --only-binary tpm2-pytss \
        --find-links "$wheelhouse" --editable ".[$extras]"
}
