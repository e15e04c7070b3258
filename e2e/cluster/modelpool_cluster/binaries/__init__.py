"""Where the programs come from: `KUBEBUILDER_ASSETS`, the cache, the release archives, else built from `go.mod`.

`pins` reads the wanted versions, `cache` keeps what was got, `archives` fetches, `toolchain` and `building` build,
`helm` knows helm's own ways, and `resolving` puts them in order. Called by `managers` and the command line. Starts none
of the programs.
"""

from .resolving import Binaries, Binary, BinaryUnavailableError, Origin

__all__ = ["Binaries", "Binary", "BinaryUnavailableError", "Origin"]
