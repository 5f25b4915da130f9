#!/usr/bin/env bash
#
# Put on a Debian machine what Concierge stands on: the PostgreSQL server with pgvector, pg_cron, pgTAP and
# plpgsql_check, and the headers the daemon and our extension are compiled against; and build that one.
#
#   extensions/install.sh             install what is missing; says so in one line when nothing is
#   extensions/install.sh --upgrade   also look for a newer pgvector than the one that was built here
#
# Safe to run again. It never creates, stops or reconfigures a cluster, and never edits the apt sources.

set -euo pipefail

readonly oldest_server=15             # security_invoker views
readonly oldest_pgvector=0.8.0        # iterative index scans
readonly safe_pgvector=0.8.2          # CVE-2026-3172: parallel HNSW builds
native=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/concierge_native
readonly native

say()  { printf '%s\n' "$*"; }
die()  { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

scratch=
own_cluster_conf=
clean_up() {
    [[ -z $scratch ]] || rm -rf "$scratch"
    [[ -z $own_cluster_conf ]] || rm -f "$own_cluster_conf"
}
trap clean_up EXIT
trap 'say "install.sh: line $LINENO failed: $BASH_COMMAND" >&2' ERR


# --- What is here ----------------------------------------------------------------------------------------

installed() { [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

version_of() { dpkg-query --show --showformat='${Version}' "$1"; }

installed_server_major() {
    dpkg-query --show --showformat='${db:Status-Status} ${Package}\n' 'postgresql-[0-9]*' 2>/dev/null |
        sed -n 's/^installed postgresql-\([0-9]\{1,\}\)$/\1/p' | sort -n | tail -n 1 || true
}

default_server_major() {
    apt-cache depends postgresql 2>/dev/null | sed -n 's/^ *Depends: postgresql-\([0-9]\{1,\}\)$/\1/p' | head -n 1
}

# The server's own answer, not the package's: it also sees a pgvector that was built.
pgvector_version() {
    local control="/usr/share/postgresql/$1/extension/vector.control"
    [[ -f $control ]] || return 0
    sed -n "s/^default_version *= *'\(.*\)'.*/\1/p" "$control"
}

older() { dpkg --compare-versions "$1" lt "$2"; }

# One name a line.
needed_packages() {
    local major=$1
    printf '%s\n' "postgresql-$major" "postgresql-$major-cron" "postgresql-$major-pgtap" \
        "postgresql-$major-plpgsql-check" postgresql-server-dev-all \
        libpq-dev libpg-query-dev libcurl4-openssl-dev libssl-dev libmicrohttpd-dev build-essential dpkg-dev \
        pkg-config poppler-utils pandoc python3-venv
}

missing_packages() {
    local package
    while read -r package; do
        installed "$package" || say "$package"
    done < <(needed_packages "$1")
}

# "pgvector 0.8.7, pg_cron 1.4.2, …" as the server will report them.
extension_versions() {
    local name label
    for name in vector:pgvector pg_cron pgtap:pgTAP plpgsql_check concierge_native; do
        label=${name#*:} name=${name%%:*}
        sed -n "s/^default_version *= *'\(.*\)'.*/$label \1/p" "/usr/share/postgresql/$1/extension/$name.control"
    done | paste -sd, | sed 's/,/, /g'
}

# What concierge_native is made of, and for which server: the sum of what was built lies beside the extension.
native_sum() {
    { "/usr/lib/postgresql/$1/bin/pg_config" --version &&
        cat "$native"/{Makefile,*.c,*.h,*.control,*.sql}; } | sha256sum | cut -d ' ' -f 1
}

native_sum_file() { say "/usr/share/postgresql/$1/extension/concierge_native.sum"; }

native_is_installed() {
    local file
    file=$(native_sum_file "$1")
    [[ -f $file && -f /usr/lib/postgresql/$1/lib/concierge_native.so && $(<"$file") == "$(native_sum "$1")" ]]
}

say_if_pgvector_is_unsafe() {
    local version
    version=$(pgvector_version "$1")
    older "$version" "$safe_pgvector" || return 0
    say "note: pgvector $version has CVE-2026-3172 (parallel HNSW builds); the development cluster therefore" \
        "sets max_parallel_maintenance_workers = 0"
}


# --- Debian packages -------------------------------------------------------------------------------------

# Runs a long command in silence: what it said stays in the log, for explain.
quietly() { "$@" >"$scratch/log" 2>&1 </dev/null; }

explain() { tail -n 40 "$scratch/log" >&2; die "$@"; }

apt_get() { quietly apt-get -q -y -o DPkg::Lock::Timeout=300 "$@"; }

candidate() {
    LC_ALL=C apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: //p' | grep -vx '(none)' || true
}

install_packages() {
    local package
    for package in "$@"; do
        [[ -n $(candidate "$package") ]] ||
            die "apt knows no package $package: check the network and the sources in /etc/apt, then run this again."
    done
    # Debian starts a cluster named main with a new server. Whoever wants one makes one with pg_createcluster.
    if [[ " $* " == *" postgresql-$major "* ]]; then
        own_cluster_conf=/etc/postgresql-common/createcluster.d/concierge-install.conf
        mkdir -p "${own_cluster_conf%/*}"
        say 'create_main_cluster = false' >"$own_cluster_conf"
    fi
    apt_get install --no-install-recommends "$@" ||
        explain "apt-get could not install $*: see above for the reason, often a missing network."
    for package in "$@"; do
        say "$package $(version_of "$package"): Debian package"
    done
}


# --- pgvector from source, where Debian has no package of it ---------------------------------------------

# The main archive this machine already trusts, in whichever mirror it uses.
archive_uri() {
    # shellcheck disable=SC2016  # apt replaces these, not the shell
    apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(SITE)' 'Created-By: Packages' |
        sed -n 's/^Debian|Debian|main|\(https\{0,1\}:.*\)$/\1/p' | head -n 1
}

# An apt of our own that reads one suite's sources: own list, own index, same keyring, same proxy settings.
# What the machine has configured is neither used nor changed.
prepare_source_apt() {
    local suite=$1
    local keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    rm -rf "$scratch/apt"
    mkdir -p "$scratch/apt/lists/partial" "$scratch/apt/cache/archives/partial"
    cat >"$scratch/apt/main.sources" <<-SOURCES
		Types: deb-src
		URIs: $archive
		Suites: $suite
		Components: main
		Signed-By: $keyring
	SOURCES
    cat >"$scratch/apt/apt.conf" <<-CONF
		Dir::Etc::SourceList "$scratch/apt/main.sources";
		Dir::Etc::SourceParts "-";
		Dir::State::Lists "$scratch/apt/lists";
		Dir::Cache "$scratch/apt/cache";
		Acquire::Languages "none";
		APT::Update::Error-Mode "any";
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
	CONF
    quietly apt-get -q -c "$scratch/apt/apt.conf" update
}

# Newest pgvector in the prepared suite, as a Debian version.
source_version() {
    apt-cache -c "$scratch/apt/apt.conf" showsrc --only-source pgvector 2>/dev/null |
        sed -n 's/^Version: //p' | sort -V | tail -n 1
}

# apt fetches as the user _apt, who therefore owns the directory it fetches into.
fetch_source() {
    rm -rf "$scratch/source"
    install -d -o _apt "$scratch/source"
    (cd "$scratch/source" && quietly apt-get -q -c "$scratch/apt/apt.conf" source --only-source "pgvector=$1")
}

build_pgvector() {
    local suite=$1 version=$2 major=$3 tree
    tree=$(find "$scratch/source" -mindepth 1 -maxdepth 1 -type d)
    # OPTFLAGS: upstream tunes for the building machine, and a copied binary then dies on an older one.
    # with_llvm: inlining bitcode is of no use to functions this large, and takes most of the time.
    local make=(make -C "$tree" "PG_CONFIG=/usr/lib/postgresql/$major/bin/pg_config" OPTFLAGS= with_llvm=no)
    quietly "${make[@]}" "-j$(nproc)" || explain "pgvector $version did not compile: see above."
    quietly "${make[@]}" install || explain "pgvector $version did not install: see above."
    say "pgvector $(pgvector_version "$major"): built from Debian source package pgvector $version of suite $suite"
}

# Testing first: it carries the security fixes that stable's pgvector may lack.
install_pgvector() {
    local major=$1 have suite found
    have=$(pgvector_version "$major")
    found=$(candidate "postgresql-$major-pgvector")
    if [[ -n $found ]] && ! older "$found" "$oldest_pgvector"; then
        if [[ -z $have ]] || older "$have" "${found%-*}"; then
            install_packages "postgresql-$major-pgvector"
        fi
        return
    fi
    archive=$(archive_uri)
    [[ -n $archive ]] || die "apt reads no main Debian archive over http here, so pgvector's source cannot be fetched."
    for suite in testing stable; do
        if ! prepare_source_apt "$suite"; then
            if grep -q NO_PUBKEY "$scratch/log"; then
                say "note: the debian-archive-keyring here does not know the key of suite $suite, so it is not used"
            else
                say "note: the index of suite $suite could not be read; apt says: $(grep -m 1 '^E:' "$scratch/log")"
            fi
            continue
        fi
        found=$(source_version)
        if [[ -z $found ]] || older "$found" "$oldest_pgvector"; then
            continue
        fi
        if [[ -n $have ]] && ! older "$have" "${found%-*}"; then
            say "pgvector $have: already as new as that of suite $suite"
            return
        fi
        # A mirror in the middle of an update lists what it does not yet, or no longer, hold.
        if ! fetch_source "$found"; then
            say "note: suite $suite lists pgvector $found, but the mirror does not hand it out"
            continue
        fi
        build_pgvector "$suite" "$found" "$major"
        return
    done
    die "neither testing nor stable gave a pgvector of $oldest_pgvector or later: check the network, then run this again."
}


# --- Our own ---------------------------------------------------------------------------------------------

# Copied first: what root builds in the tree, its owner could not remove.
install_native() {
    local major=$1
    native_is_installed "$major" && return
    mkdir "$scratch/native"
    cp "$native"/{Makefile,*.c,*.h,*.control,*.sql} "$scratch/native"
    local make=(make -C "$scratch/native" "PG_CONFIG=/usr/lib/postgresql/$major/bin/pg_config" with_llvm=no)
    quietly "${make[@]}" || explain "concierge_native did not compile: see above."
    quietly "${make[@]}" install || explain "concierge_native did not install: see above."
    native_sum "$major" >"$(native_sum_file "$major")"
    say "concierge_native $(sed -n "s/^default_version *= *'\(.*\)'.*/\1/p" "$native/concierge_native.control"): built"
}


# Starts all over as root, unless this is root already.
become_root() {
    if ((EUID != 0)); then
        command -v sudo >/dev/null || die "installing needs root, and there is no sudo here: run it as root."
        exec sudo -- bash "$0" "$@"
    fi
    scratch=$(mktemp -d)
    chmod 755 "$scratch"                # _apt reads in it
}


# --- The run ---------------------------------------------------------------------------------------------

upgrade=no
case ${1-} in
    '')         ;;
    --upgrade)  upgrade=yes ;;
    -h|--help)  sed -n '3,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *)          say "install.sh: unknown argument $1; there is only --upgrade" >&2; exit 2 ;;
esac

command -v apt-get >/dev/null ||
    die "this machine has no apt: Concierge sets itself up on Debian 12 and 13; elsewhere install PostgreSQL" \
        "$oldest_server+, pgvector $oldest_pgvector+, pg_cron, pgTAP, plpgsql_check, and the libpq and libcurl headers."

major=$(installed_server_major)
if [[ $upgrade == no && -n $major && $major -ge $oldest_server && -z $(missing_packages "$major") ]]; then
    have=$(pgvector_version "$major")
    if [[ -n $have ]] && ! older "$have" "$oldest_pgvector"; then
        if ! native_is_installed "$major"; then
            become_root "$@"
            install_native "$major"
        fi
        say "PostgreSQL $major with $(extension_versions "$major"): already installed"
        say_if_pgvector_is_unsafe "$major"
        exit 0
    fi
fi

become_root "$@"

# shellcheck source=/dev/null
[[ $(. /etc/os-release && say "$ID") == debian ]] ||
    die "this is not Debian, and the packages here differ: only Debian 12 and 13 are set up by this script."

export DEBIAN_FRONTEND=noninteractive
export NEEDRESTART_MODE=l             # a library upgrade must not restart somebody's services

apt_get update || say "note: apt-get update failed; going on with the lists of last time" >&2
if [[ -z $major || $major -lt $oldest_server ]]; then
    major=$(default_server_major)
    [[ -n $major ]] || die "apt knows no PostgreSQL server: check the network and the sources in /etc/apt."
    ((major >= oldest_server)) ||
        die "this release of Debian has PostgreSQL $major; Concierge needs $oldest_server or later, as in Debian 12."
fi

mapfile -t missing < <(missing_packages "$major")
if ((${#missing[@]})); then
    install_packages "${missing[@]}"
fi
have=$(pgvector_version "$major")
if [[ $upgrade == yes || -z $have ]] || older "$have" "$oldest_pgvector"; then
    install_pgvector "$major"
fi
install_native "$major"
say_if_pgvector_is_unsafe "$major"
