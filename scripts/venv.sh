#!/usr/bin/env bash
# venv.sh PYTHON VENV GROUP: a virtual environment with the packages of one dependency group of pyproject.toml.
set -euo pipefail
python=$1 venv=$2 group=$3

wanted=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
if [ -x "$venv/bin/python" ]; then
  found=$("$venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  if [ "$found" != "$wanted" ]; then
    echo "$venv holds Python $found and PYTHON=$python is $wanted: remove it, or choose another place with VENV=..." >&2
    exit 1
  fi
else
  "$python" -m venv "$venv"
fi
pip=("$venv/bin/python" -m pip --quiet)
"${pip[@]}" install --upgrade "pip>=25.1"  # the first that reads dependency groups

# PyPI's torch for Linux brings gigabytes of CUDA, which no test uses. Taken from PyTorch's own index, the same
# version is the small CPU build; where that index cannot be reached, pip's configured sources decide.
pinned() { sed -n "s/.*\"\($1==[^\"]*\)\".*/\1/p" pyproject.toml; }
case $group in
  test) large=(--no-deps "$(pinned torch)") ;;
  comparison | peers) large=("$(pinned torchvision)") ;;  # names the torch that it was built for
  *) large=() ;;
esac
if [ ${#large[@]} -gt 0 ] && ! "$venv/bin/python" -c 'import torch' 2>/dev/null; then
  "${pip[@]}" install --retries 0 --timeout 15 --index-url https://download.pytorch.org/whl/cpu "${large[@]}" \
    2>/dev/null || echo "No CPU build of ${large[-1]} in reach: taking the one that pip finds, which may be large."
fi
"${pip[@]}" install --group "$group" --group build
