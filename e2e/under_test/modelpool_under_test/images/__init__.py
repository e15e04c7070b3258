"""The project's container images, built on this machine from the one `Dockerfile` and kept as archives.

`context` says what goes into them (pure but for reading files), `base` makes what they stand on when no registry can be
asked, `wheels` what is installed into them, `building` calls the builder that is there (docker, podman or buildah). All
of that is cached by its inputs. `contents` looks into the result, `starting` runs it, `held` knows what is promised of
it, `report` tells. Nothing here starts a cluster.
"""

from .building import Images, ImagesUnavailableError, NoBuilderError, build

__all__ = ["Images", "ImagesUnavailableError", "NoBuilderError", "build"]
