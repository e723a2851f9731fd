#!/usr/bin/env bash
# test_neon.sh [GTEST_FILTER]: cross-builds the C++ tests of the image layer for 64-bit Arm and runs them under
# qemu-user, at the levels neon and scalar. Needs, from Debian (after dpkg --add-architecture arm64):
#   g++-aarch64-linux-gnu qemu-user libjpeg62-turbo-dev:arm64 libhwy-dev:arm64 libgtest-dev:arm64 libxxhash-dev:arm64
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in aarch64-linux-gnu-g++ qemu-aarch64; do
  command -v "$tool" >/dev/null || { echo "$tool is missing; the head of $0 lists the packages." >&2; exit 1; }
done
cmake --preset neon >/dev/null
cmake --build --preset neon --target image_test
qemu-aarch64 build/neon/tests/cpp/image_test --gtest_filter="${1:-*}"
