# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The test run: every check, in the order in which they are quick. All of them run, even after one has failed, so
# that one run tells the whole story; the status is that of the worst.

# Devices that the machine can provide and the tests therefore must not skip. tests/conftest.py holds the run to it.
readonly required_devices='softhsm,swtpm,swtpm-abrmd,piv-opensc,piv-ykcs11'

failed_checks=()

start_checks() {
    prepare test
    cd -- "$root"
    PATH=$venv/bin:$PATH
    [[ -w $root ]] || keep_caches_out
    if (($#)); then
        doing='pytest'
        exec "$venv/bin/python" -m pytest "$@"
    fi
    check 'ruff check' ruff check .
    check 'ruff format' ruff format --check .
    check 'shellcheck' shellcheck --external-sources --check-sourced hsm/up.sh .ci/run
    check 'mypy' mypy
    check 'import contracts' lint-imports
    check 'pytest' run_pytest
    ((${#failed_checks[@]} == 0)) || die 1 "failed: $(IFS=, && echo "${failed_checks[*]}")" \
        'what is wrong stands above, under the name of each check'
    say 'every check passed'
}

check() {
    local name=$1 started=$EPOCHREALTIME
    shift
    say "$name"
    if "$@"; then
        say "  passed in $(seconds_since "$started")"
    else
        say "  FAILED after $(seconds_since "$started")"
        failed_checks+=("$name")
    fi
}

# One run for everything. Coverage is measured on the pure packages ([tool.coverage.run]) while the unit tests run
# (tests/conftest.py): they alone have to reach every branch.
run_pytest() {
    local peers=0
    ! npm_is_there || peers=1
    HARDWIRE_REQUIRE_DEVICES=$required_devices HARDWIRE_REQUIRE_PEERS=$peers \
        "$venv/bin/python" -m pytest --cov --cov-fail-under=100
}

# A checkout that belongs to somebody else stays untouched.
keep_caches_out() {
    local place
    place=$cache/checks-${venv##*/}
    mkdir -p -- "$place"
    export RUFF_CACHE_DIR=$place/ruff MYPY_CACHE_DIR=$place/mypy COVERAGE_FILE=$place/coverage
    export HYPOTHESIS_STORAGE_DIRECTORY=$place/hypothesis PYTHONDONTWRITEBYTECODE=1
    export PYTEST_ADDOPTS="${PYTEST_ADDOPTS:-} -p no:cacheprovider"
}
