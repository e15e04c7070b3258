#!/usr/bin/env bash
# Installs what the benchmarks need from Debian (or Ubuntu): the one place that names the packages. The gateway's
# benchmark leaves nginx out without it. Run as root. Does nothing when everything is there.
set -euo pipefail

packages=(nginx-light)

missing=()
for package in "${packages[@]}"; do
  dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if ((${#missing[@]})); then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update --quiet=2
  apt-get install --quiet=2 --yes --no-install-recommends "${missing[@]}"
fi
