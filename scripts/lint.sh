#!/usr/bin/env bash
# lint.sh BIN: every static check, with the tools of the virtual environment's folder BIN.
set -euo pipefail
bin=$1
"$bin/ruff" check --quiet .
"$bin/ruff" format --quiet --check .
"$bin/mypy" --no-error-summary
"$bin/python" -m mypy.stubtest fastinet._core --concise --allowlist scripts/stubtest_allowlist.txt \
  --ignore-unused-allowlist
git ls-files '*.cc' '*.h' | xargs -r "$bin/clang-format" --dry-run -Werror
echo "ruff, mypy, stubtest, clang-format: clean"
