# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What a virtual machine needs, from Debian's packages by name. Sourced by run.sh, which sets `work`
# and declares the rest. Each have_ function returns non-zero when a thing cannot be had, with the cause in `reason`.
#
# The kernels and virtme-ng are in suites that a machine need not have configured. They are fetched with
# apt's own programs from the archive that the machine uses already, under its key, with lists and cache of
# their own: nothing of the machine's apt is changed.

: "${work:?}"
readonly machine_packages=(
    qemu-system-x86 busybox-static udev kmod file python3 python3-argcomplete python3-requests
    python3-pkg-resources)

missing_packages() {
    local package
    for package in "${machine_packages[@]}"; do
        dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q '^install ok installed$' || echo "$package"
    done
}

# The machine's own packages; no service is started by their installation.
install_machine_packages() {
    local -a missing
    mapfile -t missing < <(missing_packages)
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        reason="needs these packages, and only root installs them: ${missing[*]}"
        return 1
    fi
    echo "== installing ${missing[*]}"
    local policy=/usr/sbin/policy-rc.d made='' status=0
    if [ ! -e "$policy" ]; then
        made=yes
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
    fi
    { apt-get update -qq &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } \
        >"$work/install.log" 2>&1 || status=$?
    [ -z "$made" ] || rm -f "$policy"
    if [ "$status" -ne 0 ]; then
        reason="could not install ${missing[*]}: $(tail -n 1 "$work/install.log")"
        return 1
    fi
}

# The Debian archive that this machine uses, and the key that it trusts it by.
debian_archive() {
    # shellcheck disable=SC2016 # apt's own variables
    apt-get indextargets --format '$(ORIGIN) $(RELEASE) $(REPO_URI)' 'Identifier: Packages' 2>/dev/null |
        sed -n -E 's/^Debian (bookworm|trixie) //p' | head -n 1
}

archive_key() {
    local key
    key=$(grep -lrsF "${1%/}" /etc/apt/sources.list /etc/apt/sources.list.d | tr '\n' '\0' |
        xargs -0r sed -n -E 's/^Signed-By: *(\/[^ ]+)$/\1/p; s/.*signed-by=([^] ]+).*/\1/p' | head -n 1)
    echo "${key:-/usr/share/keyrings/debian-archive-keyring.gpg}"
}

# in_suite SUITE COMMAND...: apt with that suite alone.
in_suite() {
    local apt=$work/apt/$1 command=$2
    shift 2
    "$command" -qq -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::Etc::PreferencesParts=/dev/null -o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt/cache" \
        -o Dir::State::status="$apt/status" -o APT::Sandbox::User=root "$@"
}

update_suite() {
    local suite=$1 apt=$work/apt/$1 archive key signed=
    [ ! -e "$apt/updated" ] || return 0
    archive=$(debian_archive)
    if [ -z "$archive" ]; then
        reason="this machine's apt has no Debian archive configured (or no lists yet: apt-get update)"
        return 1
    fi
    key=$(archive_key "$archive")
    [ ! -e "$key" ] || signed="[signed-by=$key] "
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    : >"$apt/status"
    echo "deb $signed$archive $suite main" >"$apt/sources.list"
    if ! in_suite "$suite" apt-get -o APT::Update::Error-Mode=any update >"$apt/log" 2>&1; then
        reason="the archive's $suite cannot be read: $(grep -m 1 '^E:' "$apt/log")"
        return 1
    fi
    touch "$apt/updated"
}

# fetch SUITE PACKAGE: unpacks it as $work/packages/PACKAGE, installs nothing.
fetch() {
    local suite=$1 package=$2 target=$work/packages/$2 making=$work/packages/making
    [ ! -d "$target" ] || return 0
    echo "   fetching $package from $suite"
    rm -rf "$making"
    mkdir -p "$making/root"
    if ! (cd "$making" && in_suite "$suite" apt-get download "$package") >"$work/apt/$suite/log" 2>&1; then
        reason="$package cannot be fetched: $(grep -m 1 '^E:' "$work/apt/$suite/log")"
        return 1
    fi
    if ! dpkg-deb -x "$making"/*.deb "$making/root"; then
        reason="$package cannot be unpacked"
        return 1
    fi
    mv "$making/root" "$target"
    rm -rf "$making"
}

# What boots a kernel: the emulator, and virtme-ng, which is younger than Debian 12 and runs where it is unpacked.
have_machine() {
    if [ "$(dpkg --print-architecture 2>/dev/null)" != amd64 ]; then
        reason="needs Debian's packages for amd64"
        return 1
    fi
    install_machine_packages || return 1
    virtme=$work/packages/virtme-ng
    [ -d "$virtme" ] || { update_suite trixie && fetch trixie virtme-ng; }
}

# newest_kernel SUITE SERIES: the name of its package; not the cloud kernels, which cannot share files over 9p.
newest_kernel() {
    in_suite "$1" apt-cache pkgnames linux-image- |
        grep -E "^linux-image-${2//./\\.}\.[0-9]+([-+.][0-9a-z]+)*-amd64$" | grep -vE -- '-(cloud|rt)-' |
        sort -V | tail -n 1
}

unpacked_kernel() {
    find "$work/packages" -maxdepth 3 -path "*/linux-image-$1.*/boot/vmlinuz-*" 2>/dev/null | sort -V | tail -n 1
}

# have_kernel SERIES: sets kernel.
have_kernel() {
    local series=$1 suite package
    local -a suites causes=()
    case "$series" in
    6.1) suites=(bookworm) ;;
    *) suites=(bookworm-backports trixie) ;;
    esac
    kernel=$(unpacked_kernel "$series")
    for suite in "${suites[@]}"; do
        [ -z "$kernel" ] || return 0
        if ! update_suite "$suite"; then
            causes+=("$reason")
            continue
        fi
        package=$(newest_kernel "$suite" "$series") || true
        if [ -z "$package" ]; then
            causes+=("$suite has no linux-image-$series")
        elif fetch "$suite" "$package"; then
            kernel=$(unpacked_kernel "$series")
        else
            causes+=("$reason")
        fi
    done
    [ -n "$kernel" ] && return 0
    reason=$(printf '%s; ' "${causes[@]}")
    reason=${reason%; }
    return 1
}
