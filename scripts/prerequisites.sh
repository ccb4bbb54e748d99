# What building and running need. To be sourced: installs what is missing, and says so first; with DRY_RUN=1 it only says so.

say() { printf '%s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

need_rust() {
    rustup_env=${CARGO_HOME:-$HOME/.cargo}/env
    if ! has cargo && [ -f "$rustup_env" ]; then . "$rustup_env"; fi
    has cargo || fail "The Rust toolchain is missing: install it as https://rustup.rs says, then run this again."
}

need_compiler() {
    if has xcode-select; then
        xcode-select -p >/dev/null 2>&1 || fail "A C compiler is missing: run xcode-select --install, then run this again."
    fi
    has cc || install "A C compiler" "gcc libc6-dev" "gcc" "gcc"
}

# For LLVM's fuzzer.
need_cpp_compiler() {
    has c++ || install "A C++ compiler" "g++" "gcc-c++" "gcc"
}

need_postgres() {
    has_postgres || install "PostgreSQL" "postgresql" "postgresql-server postgresql-contrib" "postgresql@17"
}

# need_tool PROGRAM PACKAGE: a program of the same package everywhere
need_tool() {
    has "$1" || install "$1" "$2" "$2" "$2"
}

has_postgres() {
    [ -n "$(postgres_bin)" ]
}

# The folder of the server programs; looks where the service looks too.
postgres_bin() {
    if [ -n "${CONTACTPOINT_PG_BIN:-}" ]; then echo "$CONTACTPOINT_PG_BIN"; return; fi
    if has initdb && has postgres; then dirname "$(command -v initdb)"; return; fi
    for initdb in /usr/lib/postgresql*/bin/initdb /usr/lib/postgresql/*/bin/initdb /usr/pgsql-*/bin/initdb \
        /usr/libexec/postgresql*/initdb /usr/local/pgsql/bin/initdb /usr/local/lib/postgresql/*/bin/initdb \
        /opt/homebrew/opt/*/bin/initdb /usr/local/opt/*/bin/initdb /home/linuxbrew/.linuxbrew/opt/*/bin/initdb \
        /opt/local/lib/*/bin/initdb /Library/PostgreSQL/*/bin/initdb \
        /Applications/Postgres.app/Contents/Versions/*/bin/initdb
    do
        if [ -x "$initdb" ] && [ -x "${initdb%initdb}postgres" ]; then dirname "$initdb"; return; fi
    done
}

# The folder of all of PostgreSQL's programs, of which there may be links to some only.
postgres_home() {
    dirname "$(readlink -f "$(postgres_bin)/postgres")"
}

# install WHAT, and its packages for apt, dnf and brew
install() {
    if has apt-get; then
        say "$1 is missing. Installing with apt-get: $2"
        as_root sh -c "$apt_install" sh $2
    elif has dnf; then
        say "$1 is missing. Installing with dnf: $3"
        as_root dnf install -y $3
    elif has brew; then
        say "$1 is missing. Installing with brew: $4"
        run brew install $4
    else
        fail "$1 is missing, and there is no apt-get, dnf or brew to install it with: install it, then run this again."
    fi || fail "Installing failed."
}

# Debian's packages make and start a database for the whole machine, unless told not to: they are, for this while.
apt_install='
    policy=/etc/postgresql-common/createcluster.d
    trap "rm -f $policy/contactpoint.conf; rmdir -p $policy 2>/dev/null" EXIT
    trap "exit 1" INT TERM
    mkdir -p $policy && echo "create_main_cluster = false" >$policy/contactpoint.conf
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq || true
    apt-get install -qq -y --no-install-recommends "$@"'

as_root() {
    if [ "$(id -u)" = 0 ]; then run "$@"
    elif has sudo; then run sudo "$@"
    else fail "This needs root, and there is no sudo: install it as root, then run this again."
    fi
}

run() {
    [ -n "${DRY_RUN:-}" ] || { "$@" >&2; return; }
    say "would run: $*"
}
