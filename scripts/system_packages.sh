#!/usr/bin/env bash
# system_packages.sh PYTHON [GROUP]: what the build, the tests and a dependency group of pyproject.toml need from
# the system. Nothing is installed, and apt is not called, when all is there; otherwise apt installs it as root or
# through a sudo that asks nothing.
set -euo pipefail
python=$1 group=${2:-}

missing=()
need() {  # need PACKAGE COMMAND...: the Debian package that makes the command succeed
  local package=$1
  shift
  "$@" >/dev/null 2>&1 || missing+=("$package")
}
fuzzer_runtime() { compgen -G "$(clang++ -print-runtime-dir)/libclang_rt.fuzzer-*" \
  || compgen -G "$(clang++ -print-resource-dir)/lib/*/libclang_rt.fuzzer*"; }
python_headers() { "$python" -c 'import os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")'; }
# Any of these will do; Ubuntu has Chromium as a snap only, so there the tests of pages need an installed Chrome.
browser() { command -v chromium || command -v chromium-browser || command -v google-chrome || grep -q '^ID=ubuntu' /etc/os-release; }
# Without any font Chromium ends where it should draw text.
font() { compgen -G '/usr/share/fonts/*/*/*.[to]tf'; }

need git command -v git
need g++ command -v g++
need cmake command -v cmake
need ninja-build command -v ninja
need pkg-config command -v pkg-config
need libjpeg-dev pkg-config --exists libjpeg
need libhwy-dev pkg-config --exists libhwy
need libxxhash-dev pkg-config --exists libxxhash
need libgtest-dev pkg-config --exists gtest
need clang command -v clang++
need libclang-rt-dev fuzzer_runtime
need python3 command -v "$python"
need python3-venv "$python" -c 'import ensurepip, venv'
need python3-dev python_headers
need chromium browser
need fonts-dejavu-core font
if [ "$group" = peers ]; then  # FFCV comes as source
  need libopencv-dev pkg-config --exists opencv4
  need libturbojpeg0-dev pkg-config --exists libturbojpeg
fi
[ ${#missing[@]} -eq 0 ] && exit 0

install="apt-get install --yes --no-install-recommends ${missing[*]}"
if ! command -v apt-get >/dev/null; then
  echo "fastinet needs what Debian calls ${missing[*]}: install these with your system's package manager." >&2
  exit 1
elif [ "$(id -u)" -eq 0 ]; then
  run=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
  run=(sudo -n)
else
  echo "Missing system packages; as an administrator, run: $install" >&2
  exit 1
fi
echo "Installing system packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${run[@]}" apt-get update --quiet=2
"${run[@]}" env DEBIAN_FRONTEND=noninteractive $install --quiet=2 </dev/null
