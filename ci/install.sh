#!/usr/bin/env bash
# Install d365setup for the steps that follow.
#   SETUP_VERSION   a version number, or what pip takes else; empty: the very commit this script belongs to
set -euo pipefail

version="${SETUP_VERSION:-}"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

case "$version" in
  "") wanted="$here" ;;
  [0-9]*) wanted="d365setup==$version" ;;
  -*) echo "error: SETUP_VERSION is no version: $version" >&2; exit 2 ;;
  *) wanted="$version" ;;
esac

python -m pip install --quiet --disable-pip-version-check "$wanted"
d365setup --version
