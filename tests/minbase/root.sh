# A minimal Debian 12 root, for scripts: source this file, then call its functions. They need root
# and debootstrap, and `fail MESSAGE`, which the script brings.
#
#   make_base                  makes the cached root anew: POLLUX_MINBASE, /var/tmp/pollux-minbase
#   copy_base TARGET           copies it, with the settings that apt needs; makes it at need
#   inside TARGET COMMAND...   runs a command in a root, in namespaces of its own

cache=${POLLUX_MINBASE:-/var/tmp/pollux-minbase}

# The mirror that this machine itself uses for bookworm, in either format of the sources.
mirror() {
    local found
    found=$(awk '/^deb / && / bookworm / {for (i = 2; i <= NF; i++) if ($i ~ /^http/) print $i}' \
        /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | head -n 1)
    [[ -n $found ]] || found=$(awk '
        function out() {
            if (uri != "" && suites ~ /(^| )bookworm( |$)/) print uri
            uri = suites = ""
        }
        FNR == 1 || /^$/ {out()}
        tolower($1) == "uris:" {uri = $2}
        tolower($1) == "suites:" {$1 = ""; suites = $0}
        END {out()}' /etc/apt/sources.list.d/*.sources 2>/dev/null | head -n 1)
    printf '%s\n' "${found:-http://deb.debian.org/debian}"
}

# Settings without which apt cannot reach its mirror here: proxies, dates, certificates.
copy_apt_settings() {
    local target=$1 file
    for file in /etc/apt/apt.conf /etc/apt/apt.conf.d/*; do
        [[ -f $file ]] && grep -qiE 'proxy|Check-Valid-Until|Check-Date|CaInfo|Verify' "$file" &&
            install -D -m 644 "$file" "$target$file"
    done
    if [[ -f /etc/ssl/certs/ca-certificates.crt ]]; then
        install -D -m 644 /etc/ssl/certs/ca-certificates.crt \
            "$target/etc/ssl/certs/ca-certificates.crt"
    fi
    cp -L /etc/resolv.conf /etc/hosts "$target/etc/"
}

make_base() {
    local begin=$SECONDS
    command -v debootstrap >/dev/null || fail "please install debootstrap"
    rm -rf "$cache.part"
    mkdir -p "$cache.part"
    debootstrap --variant=minbase bookworm "$cache.part" "$(mirror)" >"$cache.log" 2>&1 || {
        tail -n 20 "$cache.log" >&2
        fail "debootstrap failed; see $cache.log"
    }
    rm -rf "$cache"
    mv "$cache.part" "$cache"
    printf 'minbase: made %s in %d s\n' "$cache" $((SECONDS - begin))
}

copy_base() {
    local target=$1
    [[ -x $cache/bin/bash ]] || make_base
    mkdir -p "$target"
    cp -a --reflink=auto "$cache/." "$target/"
    chmod 755 "$target"
    copy_apt_settings "$target"
}

# Runs a command line inside the root, in mount, process and IPC namespaces of its own.
inside() {
    unshare --mount --pid --ipc --fork bash -euc '
        target=$1
        mount --make-rprivate /
        mount --bind "$target" "$target"
        mount -t proc proc "$target/proc"
        mount --rbind /sys "$target/sys"
        mount -t tmpfs -o mode=755 tmpfs "$target/dev"
        for device in null zero full random urandom tty; do
            touch "$target/dev/$device"
            mount --bind "/dev/$device" "$target/dev/$device"
        done
        ln -s /proc/self/fd "$target/dev/fd"
        mkdir "$target/dev/shm"
        mount -t tmpfs -o mode=1777 tmpfs "$target/dev/shm"
        exec chroot "$target" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb \
            "${@:2}"' inside "$@"
}
