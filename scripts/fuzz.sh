#!/usr/bin/env bash
# fuzz.sh LIMIT: builds the targets of tests/fuzz and runs each up to a limit of libFuzzer's, two at a time:
#   -max_total_time=SECONDS   or   -runs=EXECUTIONS, three times as many for the decoder and the differential target
# New inputs that add coverage go to build/fuzz/corpus/<target>; the seeds in tests/fuzz/corpus/<target> are only read.
set -euo pipefail
cd "$(dirname "$0")/.."
limit=$1

[ -f tests/fuzz/CMakeLists.txt ] || { echo "No fuzz targets."; exit 0; }
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz
fuzz_one() {
  local program=$1 limit=$2 name seeds corpus
  name=$(basename "$program")
  corpus=build/fuzz/corpus/$name
  seeds=tests/fuzz/corpus/${name%_fuzz}
  mkdir -p "$corpus"
  case $name/$limit in
    decoder_fuzz/-runs=* | differential_fuzz/-runs=*) limit=-runs=$((3 * ${limit#-runs=})) ;;
  esac
  "$program" "$limit" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/$name-" "$corpus" $([ -d "$seeds" ] && echo "$seeds") \
    >"build/fuzz/$name.log" 2>&1 || { tail -n 40 "build/fuzz/$name.log"; return 1; }
  echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "build/fuzz/$name.log") executions, no finding"
}
export -f fuzz_one
find build/fuzz -type f -executable -name '*_fuzz' -print0 | sort -z \
  | xargs -0 -r -P 2 -I{} bash -c 'fuzz_one "$1" "$2"' _ {} "$limit"
