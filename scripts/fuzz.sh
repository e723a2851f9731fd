#!/usr/bin/env bash
# fuzz.sh SECONDS: builds the targets of tests/fuzz and runs each for that long, two at a time. New inputs that
# add coverage go to build/fuzz/corpus/<target>; the seeds in tests/fuzz/corpus/<target> are only read.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=$1

[ -f tests/fuzz/CMakeLists.txt ] || { echo "No fuzz targets."; exit 0; }
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz
fuzz_one() {
  local program=$1 name seeds corpus
  name=$(basename "$program")
  corpus=build/fuzz/corpus/$name
  seeds=tests/fuzz/corpus/${name%_fuzz}
  mkdir -p "$corpus"
  "$program" -max_total_time="$2" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/$name-" "$corpus" $([ -d "$seeds" ] && echo "$seeds") \
    >"build/fuzz/$name.log" 2>&1 || { tail -n 40 "build/fuzz/$name.log"; return 1; }
  echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "build/fuzz/$name.log") executions, no finding"
}
export -f fuzz_one
find build/fuzz -type f -executable -name '*_fuzz' -print0 | sort -z \
  | xargs -0 -r -P 2 -I{} bash -c 'fuzz_one "$1" "$2"' _ {} "$seconds"
