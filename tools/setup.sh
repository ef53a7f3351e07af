#!/usr/bin/env bash
# Installs what is missing to build and test edge-net, and says so. Does nothing, and stays off the network, when all is there.
#   tools/setup.sh [build] [test] [long]      groups: build (default), test (browsers, sanitizers), long (Emscripten, aarch64)
# Debian 12 or newer (or a relative with apt); as root or with sudo. Elsewhere it names what to install by hand.
set -euo pipefail
cd "$(dirname "$0")/.."
groups=" ${*:-build} "
missing=() # apt packages

have() { command -v "$1" >/dev/null 2>&1; }
wants() { [[ $groups == *" $1 "* ]]; }
need() { # need <package> <test command...>
  local package=$1
  shift
  "$@" >/dev/null 2>&1 || missing+=("$package")
}

# Newest tested first; any clang >= 18 will do.
find_clang() {
  local name
  for name in clang-19 clang-20 clang-21 clang-22 clang-18; do have "$name" && { echo "$name"; return; }; done
  echo clang-19
}
clang=$(find_clang)
version=${clang#clang-}
has_clang_file() { [[ -e $("$clang" "$@" 2>/dev/null) ]]; }

need "$clang" have "$clang"
need "lld-$version" have "wasm-ld-$version"
need wasi-libc test -e /usr/lib/wasm32-wasi/libc.a
need "libclang-rt-$version-dev-wasm32" has_clang_file --target=wasm32-wasi -print-libgcc-file-name
need "llvm-$version" have "llvm-ar-$version"
need cmake have cmake
need ninja-build have ninja
need gcc have gcc
need libc6-dev test -e /usr/include/stdio.h
if wants test; then
  need "libclang-rt-$version-dev" has_clang_file -print-file-name="libclang_rt.asan-$(uname -m).a"
  need chromium have chromium
  need firefox-esr have firefox-esr
fi
if wants long; then
  need emscripten have emcc
  need qemu-user have qemu-aarch64
  need gcc-aarch64-linux-gnu have aarch64-linux-gnu-gcc
  need libc6-dev-arm64-cross test -e /usr/aarch64-linux-gnu/include/stdio.h
fi

if ((${#missing[@]})); then
  if ! have apt-get; then
    echo "setup: this system has no apt-get. Please install: ${missing[*]} (names of Debian packages), then run this again." >&2
    exit 1
  fi
  root=()
  if ((EUID != 0)); then
    have sudo || { echo "setup: please run as root, or install sudo: these packages are missing: ${missing[*]}" >&2; exit 1; }
    root=(sudo env DEBIAN_FRONTEND=noninteractive)
  fi
  echo "setup: installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  "${root[@]}" apt-get update -qq
  "${root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null || {
    echo "setup: apt-get could not install them all. clang 19 is in Debian 12 (package clang-19) and newer." >&2
    exit 1
  }
fi

have node || { echo "setup: Node.js 20 or newer is needed: https://nodejs.org or the package nodejs of a newer distribution" >&2; exit 1; }
if (($(node -p 'process.versions.node.split(".")[0]') < 20)); then
  echo "setup: Node.js $(node -v) is too old, 20 or newer is needed" >&2
  exit 1
fi
stamp=node_modules/.edge-net-lock
lock=$(cksum <package-lock.json)
if [[ ! -e $stamp || $(<"$stamp") != "$lock" ]]; then
  echo "setup: npm ci"
  npm ci --no-progress --loglevel=error
  echo "$lock" >"$stamp"
fi
