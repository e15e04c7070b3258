"""The `modelpool` command, which is also a kubectl plugin (`kubectl modelpool …`).

`plan` prints what the operator would decide; `local` carries the same plan out as processes of this machine; `demo`
shows the main job on simulated cards. Of the operator it knows `api` and `planning` only, of the gateway and the
engines their command lines.
"""
