#!/usr/bin/env bash
# Installs what a real test node, the images and the compiled gateway need from Debian (or Ubuntu): the one place that
# names the packages. Run as root. Does nothing when everything is there.
set -euo pipefail

node=(containerd runc containernetworking-plugins nftables iproute2 mount util-linux)
images=(buildah debootstrap)
gateway=(gcc libc6-dev python3-dev)

missing=()
for package in "${node[@]}" "${images[@]}" "${gateway[@]}"; do
  dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if ((${#missing[@]})); then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update --quiet=2
  apt-get install --quiet=2 --yes --no-install-recommends "${missing[@]}"
fi
